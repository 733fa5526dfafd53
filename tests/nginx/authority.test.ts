import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createAuthority, type Authority } from 'countersign'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'

import { describeWith } from '../support/requirements.ts'
import { ask, askHttp2, reach } from './ask.ts'
import { HOST, startFront, type Front } from './front.ts'

const PASSWORD = 'a long test password'
const GUARD_ID = 'g'.repeat(22)
const NONCE = 'n'.repeat(22)

describeWith('nginx', 'Countersign behind deploy/nginx', () => {
  let authority: Authority
  let front: Front
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-nginx-data-'))
  const server = createServer()

  beforeAll(async () => {
    authority = await createAuthority({
      publicUrl: `https://${HOST}`,
      secret: randomBytes(32).toString('base64'),
      dataDir,
      argon2MemoryKib: 8_192,
      argon2Passes: 1,
      trustedProxies: '127.0.0.1',
      logLevel: 'silent',
    })
    authority.attach(server)
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    front = await startFront({ nodes: [port], service: port })
  })
  afterAll(async () => {
    await front?.[Symbol.asyncDispose]()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await authority?.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  test('the revocation feed passes as a WebSocket, in both directions', async () => {
    const created = await authority.clients.create({ name: 'guards' }, 'test')
    if (!created.ok) throw new Error(created.text)
    const { client, secret } = created.value
    const { port, ...tls } = reach(front)
    const socket = new WebSocket(`wss://127.0.0.1:${port}/revocations/feed?guard=${GUARD_ID}`, {
      ...tls,
      headers: { host: HOST },
      auth: `${client.id}:${secret.secret}`,
    })
    const types: string[] = []
    socket.on('message', (data: Buffer) => {
      types.push((JSON.parse(data.toString()) as { type: string }).type)
    })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    socket.send(JSON.stringify({ type: 'resume' }))
    socket.send(JSON.stringify({ type: 'nonce', nonce: NONCE, applied: 0 }))
    await expect.poll(() => types).toEqual(expect.arrayContaining(['snapshot', 'keys', 'echo']))
    // A revocation arrives without a question.
    const account = await authority.accounts.create({ username: 'bob', password: PASSWORD }, 'test')
    if (!account.ok) throw new Error(account.text)
    await authority.accounts.disable('bob', 'test')
    await expect.poll(() => types).toContain('batch')
    socket.terminate()
  })

  test('a browser logs in over HTTP/2, and the audit has its address', async () => {
    await authority.accounts.create({ username: 'alice', password: PASSWORD }, 'test')
    const [answer] = await askHttp2(front, [{ path: '/auth/csrf' }])
    expect(answer?.status).toBe(200)
    const login = await ask(front, {
      path: '/api/token/',
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9' },
      body: JSON.stringify({ username: 'alice', password: PASSWORD }),
    })
    expect(login.status).toBe(200)
    const lines = JSON.stringify(await authority.audit.list({ limit: 10 }))
    expect(lines).toContain('127.0.0.1')
    expect(lines).not.toContain('203.0.113.9')
  })
})
