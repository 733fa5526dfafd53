import { Writable } from 'node:stream'

import pino from 'pino'
import { expect, test } from 'vitest'

import { createSystemRandom } from '../src/base/random.ts'
import { readSecret } from '../src/keys/secret.ts'
import { createSealer } from '../src/keys/sealing.ts'
import { createMailer, createMailSealer } from '../src/mail/compose.ts'
import { openStore } from '../src/store/open.ts'
import { ISSUER, openTestAuthority, type TestAuthority } from './support/authority.ts'
import { openSmtpServer } from './support/smtp-server.ts'

const WAIT = { timeout: 10_000, interval: 20 }

/** Writes a mail as a change of another process would. */
async function post(it: TestAuthority, username: string): Promise<void> {
  const random = createSystemRandom()
  const sealer = createMailSealer(createSealer([readSecret(it.dataDir)], random), random)
  const mailer = createMailer({ sealer, random, locale: 'en' })
  const now = it.clock.nowMs()
  const values = {
    username,
    code: 'WDJB-MJHT',
    url: `${ISSUER}/reset?a=1&b="2"`.replaceAll('"', ''),
    expiresAt: now + 900_000,
  }
  const store = await openStore({ dataDir: it.dataDir }, { exclusive: false, clock: it.clock })
  const to = { to: 'alice@example.com', accountId: undefined, values }
  await store.mail.add([mailer.compose('reset_password', to, now)])
  await store.close()
}

function outbox(
  it: TestAuthority,
  options: { address?: string; url?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  const { address = '127.0.0.1', url = ISSUER, headers = {} } = options
  return it.authority.fetch(new Request(`${url}/dev/outbox`, { headers }), { address })
}

test('in development without SMTP, mails are shown at /dev/outbox and their links are logged', async () => {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  await using it = await openTestAuthority({ logger: pino({ level: 'info' }, stream) })
  expect(await (await outbox(it)).text()).toContain('There are no mails yet.')
  await post(it, '<script>alert(1)</script>')
  await expect
    .poll(async () => (await outbox(it)).text(), WAIT)
    .toContain('Set a new password for localhost:8000')
  const response = await outbox(it)
  const page = await response.text()
  expect(page).toContain('alice@example.com')
  expect(page).toContain(`href="${ISSUER}/reset?a=1&amp;b=2"`)
  expect(page).toContain('<code>WDJB-MJHT</code>')
  expect(page).not.toContain('<script')
  expect(page.match(/<iframe sandbox="" /g)).toHaveLength(1)
  expect(response.headers.get('cache-control')).toBe('no-store')
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('script-src')
  const line = lines.find((each) => each.includes('mail_in_dev_outbox'))
  expect(JSON.parse(line ?? '')).toMatchObject({ kind: 'reset_password', code: 'WDJB-MJHT' })
})

test.each([
  ['another machine', { address: '192.168.0.2' }],
  ['a name that somebody points to this machine', { url: 'http://evil.example:8000' }],
  ['a proxy on this machine', { headers: { 'x-forwarded-for': '203.0.113.9' } }],
])('/dev/outbox is 404 for %s', async (_, options) => {
  await using it = await openTestAuthority()
  expect((await outbox(it)).status).toBe(200)
  expect((await outbox(it, options)).status).toBe(404)
})

test('with SMTP there is no /dev/outbox, and a mail of another process is sent', async () => {
  await using smtp = await openSmtpServer()
  await using it = await openTestAuthority({
    smtpUrl: smtp.url,
    mailFrom: 'Example <no-reply@example.com>',
  })
  expect((await outbox(it)).status).toBe(404)
  await post(it, 'alice')
  await expect.poll(() => smtp.received.length, WAIT).toBe(1)
  expect(smtp.received[0]?.data).toContain('From: Example <no-reply@example.com>')
})

test('a mail that was written while the server was stopped is sent after its start', async () => {
  await using smtp = await openSmtpServer()
  await using it = await openTestAuthority({ smtpUrl: smtp.url, mailFrom: 'a@example.com' })
  await smtp.stop()
  await post(it, 'alice')
  await it.restart()
  await smtp.start()
  await it.restart()
  await expect.poll(() => smtp.received.length, WAIT).toBe(1)
})

test('a mistake in a template stops the start', async () => {
  await expect(openTestAuthority({ mailTemplates: '/nowhere/at/all' })).rejects.toThrow(
    'COUNTERSIGN_MAIL_TEMPLATES',
  )
})
