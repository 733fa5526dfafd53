import type { AddressInfo } from 'node:net'

import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { expect, test } from 'vitest'

import { makeCertificate } from '../../../tests/support/certificate.ts'
import { parseSmtpUrl } from '../src/mail/smtp-url.ts'
import { createSmtpTransport } from '../src/mail/smtp.ts'
import type { HandOver } from '../src/mail/transport.ts'
import { SENDER } from './support/mail.ts'

/** The log-ins and mails that another implementation of SMTP has received. */
interface Seen {
  readonly port: number
  readonly logins: string[]
  readonly mails: string[]
}

async function withServer(
  options: SMTPServerOptions,
  use: (seen: Seen) => Promise<void>,
): Promise<void> {
  const logins: string[] = []
  const mails: string[] = []
  const server = new SMTPServer({
    ...options,
    onAuth: ({ username, password }, _session, done) => {
      logins.push(`${username}:${password}`)
      if (password === 'p:w') done(null, { user: username })
      else done(new Error('Invalid username or password'))
    },
    onData: (stream, session, done) => {
      stream.resume().on('end', () => {
        mails.push(`${session.secure ? 'TLS' : 'plain'} ${session.envelope.rcptTo[0]?.address}`)
        done()
      })
    },
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A `net` server on a port has an object as its address.
  const { port } = server.server.address() as AddressInfo
  try {
    await use({ port, logins, mails })
  } finally {
    await new Promise<void>((resolve) => server.close(resolve))
  }
}

function send(url: string): Promise<HandOver> {
  const server = parseSmtpUrl(url)
  if (server === undefined) throw new Error('not an SMTP URL')
  const transport = createSmtpTransport({ server, from: SENDER })
  const mail = {
    id: 'mail_1',
    kind: 'new_device',
    recipient: 'alice@example.com',
    createdAt: 0,
    subject: 'Hello',
    text: 'text',
    html: '<p>html</p>',
    proof: undefined,
  } as const
  return transport.send(mail, new AbortController().signal)
}

const USER = 'user:p%3Aw'

test('a server without TLS gets neither password nor mail', async () => {
  const options = { hideSTARTTLS: true, allowInsecureAuth: true, authOptional: true }
  await withServer(options, async ({ port, logins, mails }) => {
    const url = `smtp://${USER}@localhost:${port}?tls=required`
    expect(await send(url)).toMatchObject({ kind: 'retry' })
    expect([logins, mails]).toEqual([[], []])
    expect(await send(`smtp://${USER}@localhost:${port}`)).toEqual({ kind: 'sent' })
    expect([logins, mails]).toEqual([['user:p:w'], ['plain alice@example.com']])
  })
})

test('a certificate that nobody vouches for is refused, unless TLS is optional', async () => {
  await withServer(
    { ...makeCertificate(), authOptional: true },
    async ({ port, logins, mails }) => {
      const host = `${USER}@localhost:${port}`
      expect(await send(`smtp://${host}?tls=required`)).toMatchObject({
        kind: 'retry',
        reason: 'tls_failed',
      })
      expect([logins, mails]).toEqual([[], []])
      expect(await send(`smtp://${host}?tls=optional`)).toEqual({ kind: 'sent' })
      expect([logins, mails]).toEqual([['user:p:w'], ['TLS alice@example.com']])
    },
  )
})

test('a wrong password is retried, because the operator can correct it', async () => {
  const options = { ...makeCertificate(), authOptional: true }
  await withServer(options, async ({ port, mails }) => {
    expect(await send(`smtp://user:wrong@localhost:${port}`)).toEqual({
      kind: 'retry',
      reason: 'smtp_535',
    })
    expect(mails).toEqual([])
  })
})

test('smtps begins with TLS, and its certificate is checked', async () => {
  await withServer(
    { ...makeCertificate(), secure: true, authOptional: true },
    async ({ port, mails }) => {
      expect(await send(`smtps://localhost:${port}`)).toMatchObject({ kind: 'retry' })
      expect(mails).toEqual([])
    },
  )
})
