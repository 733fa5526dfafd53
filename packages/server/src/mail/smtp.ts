import { readEmailAddress } from '../accounts/email-address.ts'
import { messageOf } from '../base/faults.ts'
import type { SmtpServer } from './smtp-url.ts'
import type { HandOver, MailTransport, OutgoingMail } from './transport.ts'

/** How long the steps of one hand-over may take, in milliseconds. */
export interface SmtpTimes {
  /** To connect, and to greet. */
  readonly connectMs: number
  /** Without any answer. RFC 5321 §4.5.3.2 allows more, but a lease ends after five minutes. */
  readonly silenceMs: number
  /** For the whole hand-over. A server that answers one byte a minute would never be silent. */
  readonly totalMs: number
}

/** The times of a server. */
export const SMTP_TIMES: SmtpTimes = { connectMs: 20_000, silenceMs: 60_000, totalMs: 120_000 }

/**
 * Hands mails over by SMTP. Each mail has a connection of its own: a pool would repeat a mail by itself after a
 * lost connection, although the server may have accepted it.
 *
 * `nodemailer` is loaded with the first mail.
 */
export function createSmtpTransport(options: {
  readonly server: SmtpServer
  /** The sender: `Name <address>` or an address. */
  readonly from: { readonly name: string; readonly address: string }
  readonly times?: SmtpTimes
}): MailTransport {
  const { server, from, times = SMTP_TIMES } = options
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1)
  return {
    async send(mail, signal) {
      // The library reads a list of recipients out of some texts.
      if (readEmailAddress(mail.recipient) === undefined) {
        return { kind: 'final', reason: 'address_invalid' }
      }
      const deadline = AbortSignal.timeout(times.totalMs)
      try {
        const { createTransport } = await import('nodemailer')
        const transport = createTransport(connectionOf(server, times))
        await transport.sendMail({
          ...toMessage(mail, domain),
          from,
          envelope: { from: from.address, to: [mail.recipient] },
          disableFileAccess: true,
          disableUrlAccess: true,
          signal: AbortSignal.any([signal, deadline]),
        })
        return { kind: 'sent' }
      } catch (error) {
        return deadline.aborted ? { kind: 'retry', reason: 'timeout' } : classifyFailure(error)
      }
    },
  }
}

/** The rest of the message. The same mail always has the same `Message-ID`, by which a receiver can drop a repetition. */
function toMessage(
  { id, recipient, createdAt, subject, text, html }: OutgoingMail,
  domain: string,
): object {
  return {
    // An object, so that nothing in the address can add a recipient.
    to: { name: '', address: recipient },
    messageId: `<${id}@${domain}>`,
    date: new Date(createdAt),
    subject,
    text,
    html,
    headers: {
      // RFC 3834 §5: no vacation notice answers.
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
    },
  }
}

function connectionOf({ host, port, tls, auth }: SmtpServer, times: SmtpTimes): object {
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'required',
    opportunisticTLS: tls === 'optional',
    // Encryption that is optional protects against nobody who can change the connection.
    ...(tls === 'optional' ? { tls: { rejectUnauthorized: false } } : {}),
    ...(auth === undefined ? {} : { auth }),
    dnsTimeout: times.connectMs,
    connectionTimeout: times.connectMs,
    greetingTimeout: times.connectMs,
    socketTimeout: times.silenceMs,
  }
}

/** The members of an error of nodemailer that tell what happened. */
interface SmtpError {
  readonly code?: unknown
  readonly responseCode?: unknown
  readonly response?: unknown
  /** The SMTP command that failed. */
  readonly command?: unknown
}

/** The answers that ask for a log-in or for TLS (RFC 4954 §6, RFC 3207 §4). They say nothing about this mail. */
const ASKS_FOR_ACCESS: ReadonlySet<unknown> = new Set([530, 534, 535, 538])
/** The commands whose refusal concerns this mail. */
const ABOUT_THE_MAIL: ReadonlySet<unknown> = new Set(['MAIL FROM', 'RCPT TO', 'DATA'])

/**
 * Decides what a failed hand-over means. A permanent refusal of this mail (5xx) is final. Everything else is
 * retried: the server is down, slow or busy, or its operator can correct the cause.
 */
export function classifyFailure(error: unknown): HandOver {
  const { code, responseCode, response, command }: SmtpError =
    typeof error === 'object' && error !== null ? error : {}
  if (typeof responseCode === 'number') {
    const reason = `smtp_${responseCode}${detailOf(response)}`
    const isAboutMail = ABOUT_THE_MAIL.has(command) && !ASKS_FOR_ACCESS.has(responseCode)
    return { kind: responseCode >= 500 && isAboutMail ? 'final' : 'retry', reason }
  }
  // Without an answer of the server: the address has characters that it cannot transport, or the mail is too long.
  if (code === 'EENVELOPE' || code === 'EMESSAGE')
    return { kind: 'final', reason: 'mail_impossible' }
  // The server has not answered, so the message contains no address of a person.
  const text = messageOf(error)
  const isTls = /certificate|\btls\b|\bssl\b/i.test(text)
  const reason = isTls ? 'tls_failed' : (REASONS[String(code)] ?? 'connection_failed')
  return { kind: 'retry', reason, error: text }
}

const REASONS: Readonly<Record<string, string>> = {
  ETIMEDOUT: 'timeout',
  EABORT: 'stopped',
  ETLS: 'tls_failed',
  EAUTH: 'login_failed',
  ENOAUTH: 'login_failed',
  EDNS: 'host_unknown',
}

/** The enhanced status code of RFC 3463. The rest of the answer may contain the address. */
function detailOf(response: unknown): string {
  const [, detail] = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(String(response)) ?? []
  return detail === undefined ? '' : `_${detail}`
}
