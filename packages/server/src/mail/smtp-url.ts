/** Where and how mails are handed over. Made from `COUNTERSIGN_SMTP_URL`. */
export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** `implicit` begins with TLS. `required` needs STARTTLS. `optional` uses it without checking certificates. */
  readonly tls: 'implicit' | 'required' | 'optional'
  readonly auth: { readonly user: string; readonly pass: string } | undefined
}

/** The ports of RFC 6409 and RFC 8314. */
const SUBMISSION_PORT = 587
const SUBMISSIONS_PORT = 465

/**
 * Reads an SMTP URL: `smtp://USER:PASSWORD@HOST:587` or `smtps://...`. Returns undefined for any other text. STARTTLS
 * is required, except on this machine. `?tls=optional` and `?tls=required` change that.
 */
export function parseSmtpUrl(text: string): SmtpServer | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, hostname, port, username, password, pathname, hash, searchParams } = new URL(
    text,
  )
  const isImplicit = protocol === 'smtps:'
  if (!isImplicit && protocol !== 'smtp:') return undefined
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const tls = searchParams.get('tls')
  const isPlain = (pathname === '' || pathname === '/') && hash === ''
  const isKnown = [...searchParams.keys()].every((name) => name === 'tls')
  const isValidTls = tls === null || (!isImplicit && (tls === 'optional' || tls === 'required'))
  const auth = readAuth(username, password)
  if (host === '' || !isPlain || !isKnown || !isValidTls || auth === 'malformed') return undefined
  return {
    host,
    port: port === '' ? (isImplicit ? SUBMISSIONS_PORT : SUBMISSION_PORT) : Number(port),
    tls: isImplicit
      ? 'implicit'
      : tls === 'optional' || (tls === null && isLoopback(host))
        ? 'optional'
        : 'required',
    auth,
  }
}

function readAuth(username: string, password: string): SmtpServer['auth'] | 'malformed' {
  if (username === '' && password === '') return undefined
  try {
    return { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
  } catch {
    return 'malformed'
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
