import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { GuardOptions } from '@countersign/guard'
import { createAuthority, toNodeHandler } from 'countersign'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { freePort } from '../../scripts/lib/processes.ts'
import { makeCertificate } from '../support/certificate.ts'
import { describeWith } from '../support/requirements.ts'

/**
 * An attacker controls the issuer's name, by an address or a DNS entry, and has a signing key of their own.
 * They run a complete authority: key set, log and tokens fit together. Only the certificate stops guards from
 * trusting it.
 */
describeWith('chromium', 'an impostor at the address of the issuer', () => {
  let dir: string
  let url: string
  let feed: NonNullable<GuardOptions['feed']>
  let token: string
  let close: () => Promise<void>
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'countersign-impostor-'))
    const certificate = makeCertificate()
    writeFileSync(join(dir, 'certificate.pem'), certificate.cert)
    const port = await freePort()
    url = `https://localhost:${port}`
    const authority = await createAuthority({
      publicUrl: url,
      dataDir: join(dir, 'data'),
      secret: 'the impostor has a secret too: 0123456789',
      argon2MemoryKib: 8_192,
      argon2Passes: 1,
      logLevel: 'silent',
    })
    const server = createServer(
      certificate,
      toNodeHandler((request) => authority.fetch(request)),
    )
    server.on('upgrade', (incoming, socket, head) => {
      authority.feed.upgrade(incoming, socket, head)
    })
    await new Promise<void>((resolve) => server.listen(port, resolve))
    const created = await authority.clients.create({ name: 'guards' }, 'test')
    if (!created.ok) throw new Error(created.text)
    const { client, secret } = created.value
    feed = { clientId: client.id, clientSecret: secret.secret }
    const answer = await authority.fetch(
      new Request(`${url}/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: client.id,
          client_secret: secret.secret,
        }),
      }),
    )
    token = ((await answer.json()) as { access_token: string }).access_token
    close = async () => {
      server.closeAllConnections()
      server.close()
      await authority.close()
      rmSync(dir, { recursive: true, force: true })
    }
  })
  afterAll(() => close())

  /**
   * Returns the result of a guard in a separate process for the impostor's token, or why the guard is not
   * ready.
   */
  async function ask(options: Partial<GuardOptions>, trusts: boolean): Promise<string> {
    const all = { issuer: url, readyTimeoutMs: 2_000, ...options }
    const child = fork(join(import.meta.dirname, 'guard-process.ts'), [JSON.stringify(all)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        PATH: process.env['PATH'],
        ...(trusts ? { NODE_EXTRA_CA_CERTS: join(dir, 'certificate.pem') } : {}),
      },
    })
    let complaint = ''
    child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
    return new Promise((resolve) => {
      child.once('close', () => resolve(complaint))
      child.once('message', () => {
        child.once('message', ({ code }: { code: string }) => {
          resolve(code)
          child.kill()
        })
        child.send({ token, policy: 'bounded' })
      })
    })
  }

  const ways: readonly [string, () => Partial<GuardOptions>][] = [
    ['the feed over WebSocket', () => ({ feed: { ...feed, transport: 'websocket' } })],
    ['the feed over polling', () => ({ feed: { ...feed, transport: 'polling' } })],
    ['the key set alone', () => ({})],
  ]
  test.each(ways)('is not trusted through %s', async (_, options) => {
    const complaint = await ask(options(), false)
    expect(complaint).toMatch(/feed_unreachable|jwks_unreachable/)
    // A WebSocket that does not open reports no reason.
    expect(complaint).toMatch(/SELF_SIGNED_CERT|closed with 1006/)
  })

  // Everything fits together, so only the certificate can cause the refusal.
  test.each(ways)(
    'would be trusted through %s if its certificate were trusted',
    async (_, options) => {
      expect(await ask(options(), true)).toBe('ok')
    },
  )
})
