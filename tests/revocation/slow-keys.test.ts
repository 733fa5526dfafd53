import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { Guard } from '@countersign/guard'
import { createSigner, decodeUnverified } from '@countersign/jwt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  countersign as giveCommand,
  decide,
  kidOf,
  runAuthority,
  stealKey,
  until,
  type RunningAuthority,
} from './support.ts'

const run = promisify(execFile)

/** Key settings of a shell that differ from the server's. */
const SHELL = {
  COUNTERSIGN_SIGNING_ALG: 'Ed25519',
  COUNTERSIGN_KEY_ROTATION: '1h',
  COUNTERSIGN_KEY_LEAD: '10m',
  COUNTERSIGN_SESSION_LIFETIME: '1h',
  COUNTERSIGN_REFRESH_LIFETIME: '1h',
}

/** Runs a command in that shell, while the server is running. */
function countersign(it: RunningAuthority, ...words: readonly string[]): Promise<string> {
  return giveCommand(it, words, { ...SHELL, COUNTERSIGN_PUBLIC_URL: it.url })
}

function claimsOf(token: string): Record<string, unknown> {
  const decoded = decodeUnverified(token)
  return decoded.ok ? decoded.claims : {}
}

interface ListedKey {
  readonly kid: string
  readonly use: string
  readonly algorithm: string
  readonly state: string
  readonly next: string
}

async function list(it: RunningAuthority): Promise<readonly ListedKey[]> {
  const lines = (await countersign(it, 'keys', 'list', '--json')).trim().split('\n')
  return lines.map((line) => JSON.parse(line) as ListedKey)
}

async function jwks(it: RunningAuthority): Promise<readonly string[]> {
  const { keys } = (await (await fetch(`${it.url}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string }[]
  }
  return keys.map(({ kid }) => kid)
}

let it: RunningAuthority
let guard: Guard
beforeAll(async () => {
  it = await runAuthority()
  guard = await it.guard()
})
afterAll(() => it[Symbol.asyncDispose]())

test('no login, refresh or verification fails during a rotation', async () => {
  const failures: string[] = []
  const stopping = new AbortController()
  const kids = new Set<string>()
  const worker = async (name: string): Promise<void> => {
    let { access, refresh } = await it.login(name)
    while (!stopping.signal.aborted) {
      kids.add(kidOf(access))
      const verdict = decide(guard, access)
      if (verdict !== 'ok') failures.push(`a guard returned ${verdict}`)
      const response = await it.post('/api/token/refresh/', { refresh })
      if (response.status !== 200) failures.push(`a refresh got ${response.status}`)
      ;({ access, refresh } = (await response.json()) as { access: string; refresh: string })
    }
  }
  const workers = ['ann', 'ben', 'cat', 'dan'].map(worker)
  const before = await jwks(it)
  for (let round = 0; round < 3; round++) {
    const seen = kids.size
    await countersign(it, 'keys', 'rotate', '--activate-now')
    await countersign(it, 'keys', 'rotate', '--refresh')
    // Each key signs for some worker before the next one takes over.
    await expect.poll(() => kids.size).toBeGreaterThan(seen)
  }
  stopping.abort()
  await Promise.all(workers)
  expect(failures).toEqual([])
  expect(kids.size).toBeGreaterThanOrEqual(4)
  const after = await jwks(it)
  expect(after).toEqual(expect.arrayContaining([...before]))
  expect(after).toHaveLength(before.length + 3)
})

test('commands change keys on the schedule of the server, whatever the settings of their shell', async () => {
  const keys = await list(it)
  const next = keys.find(({ state }) => state === 'pending')
  // Services without the feed cannot have the new key yet.
  await expect(countersign(it, 'keys', 'rotate')).rejects.toThrow(/published at .*--activate-now/)
  expect(await list(it)).toEqual(keys)
  const printed = await countersign(it, 'keys', 'rotate', '--activate-now')
  expect(printed).toMatch(
    new RegExp(
      `^Key ${next?.kid} signs access tokens now\\.\nKey \\S+ verifies its tokens until \\d{4}-`,
    ),
  )
  const after = await list(it)
  expect(after.find(({ kid }) => kid === next?.kid)).toMatchObject({ state: 'active' })
  expect(new Set(after.map(({ algorithm }) => algorithm))).toEqual(new Set(['ES256', 'HS256']))
  // It verifies until the longest session ends: for thirty days, not for the hour in the settings of this
  // shell.
  await countersign(it, 'keys', 'rotate', '--refresh')
  const retired = (await list(it)).filter(
    ({ use, state }) => use === 'refresh' && state === 'retiring',
  )
  const verifiesUntil = Math.max(
    ...retired.map(({ next: text }) => Date.parse(/\d{4}.*Z/.exec(text)?.[0] ?? '')),
  )
  expect(verifiesUntil).toBeGreaterThan(Date.now() + 29 * 86_400_000)
})

test('a revoked key is refused everywhere at once, whatever its tokens contain, and no session ends', async () => {
  const { access, refresh } = await it.login('eve')
  expect(decide(guard, access)).toBe('ok')
  const killed = kidOf(access)
  const stolen = stealKey(it, killed)
  const printed = await countersign(it, 'keys', 'kill', killed)
  expect(printed).toContain('is revoked')

  await until('token_stale', () => decide(guard, access))
  expect(await jwks(it)).not.toContain(killed)
  // The thief still has the key and can sign any position and any account.
  const signer = createSigner(stolen, { typ: 'at+jwt' })
  for (const rvp of [0, 1, 1_000_000, Number.MAX_SAFE_INTEGER]) {
    const forged = signer.sign({ ...claimsOf(access), rvp, jti: `forged-${rvp}` })
    expect(decide(guard, forged)).toBe('token_stale')
    const asked = await fetch(`${it.url}/auth/me`, {
      headers: { authorization: `Bearer ${forged}` },
    })
    expect(asked.status).toBe(401)
  }
  const answer = await it.post('/api/token/refresh/', { refresh })
  const next = (await answer.json()) as { access: string }
  expect(kidOf(next.access)).not.toBe(killed)
  expect(decide(guard, next.access)).toBe('ok')
  expect(await countersign(it, 'keys', 'list')).toContain('revoked')
})

test('a key whose kid begins with a dash is not read as an option', async () => {
  const kid = `-${'x'.repeat(42)}`
  await expect(countersign(it, 'keys', 'kill', kid)).rejects.toThrow(`There is no key ${kid}`)
})

test('revoking a key of refresh tokens ends the sessions that depend on it', async () => {
  const { refresh, access: held } = await it.login('fay')
  const printed = await countersign(it, 'keys', 'kill', kidOf(refresh))
  expect(printed).toContain('these people must log in again')
  const me = await fetch(`${it.url}/auth/me`, { headers: { authorization: `Bearer ${held}` } })
  expect(me.status).toBe(401)
  const sessions = await countersign(it, 'sessions', 'list', '--account', 'fay', '--json')
  expect(JSON.parse(sessions)).toMatchObject({ username: 'fay', state: 'over' })
  await expect(countersign(it, 'token', 'inspect', held)).rejects.toMatchObject({
    stdout: expect.stringContaining('because the key of its refresh tokens was revoked'),
  })
  await expect
    .poll(async () => (await it.post('/api/token/refresh/', { refresh })).status)
    .toBe(401)
  const { access } = await it.login('fay')
  expect(decide(guard, access)).toBe('ok')
})

describe('what a thief of a signing key sends to a guard or the authority', () => {
  test('as evidence of a lost log is refused without the HMAC, and after the revocation of the key', async () => {
    const { access } = await it.login('gus')
    const kid = kidOf(access)
    const stolen = createSigner(stealKey(it, kid), { typ: 'revlog+jwt' })
    const head = stolen.sign({
      iss: it.url,
      iat: Math.floor(Date.now() / 1000),
      after: 900_000,
      prev: Buffer.alloc(32, 1).toString('base64url'),
      last: 900_000,
      chain: Buffer.alloc(32, 1).toString('base64url'),
    })
    const position = guard.metrics().feed?.position
    const macs = [
      Buffer.alloc(32).toString('base64url'),
      createHmac('sha256', 'guessed').update(head).digest('base64url'),
    ]
    for (const mac of macs) {
      const response = await fetch(`${it.url}/revocations`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${it.feed.clientId}:${it.feed.clientSecret}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({
          guard: 'a-guard-of-a-thief',
          messages: [{ type: 'evidence', batches: [{ head, mac, entries: [] }] }],
        }),
      })
      expect(response.status).toBe(204)
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
    // The log did not jump, and no session ended.
    expect(guard.metrics().feed?.position).toBe(position)
    expect(decide(guard, access)).toBe('ok')
  })
})

test('an imported key is published with its certificate, and signs when it is activated', async () => {
  const dir = it.dataDir
  await run('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 30 -subj /CN=auth.test'.split(
      ' ',
    ),
    '-keyout',
    join(dir, 'own.key'),
    '-out',
    join(dir, 'own.crt'),
  ])
  const printed = await countersign(
    it,
    'keys',
    'import',
    join(dir, 'own.key'),
    '--certificate',
    join(dir, 'own.crt'),
    '--activate-now',
  )
  const kid = /Key (\S+)/.exec(printed)?.[1] ?? ''
  await expect.poll(() => jwks(it)).toContain(kid)
  const { keys } = (await (await fetch(`${it.url}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string; alg: string; x5c?: string[]; 'x5t#S256'?: string }[]
  }
  const der = readFileSync(join(dir, 'own.crt'), 'utf8').replace(/-----[^-]+-----|\s/g, '')
  expect(keys.find((key) => key.kid === kid)).toMatchObject({
    alg: 'ES384',
    x5c: [der],
    'x5t#S256': expect.stringMatching(/^[\w-]{43}$/),
  })
  // The key is published first, and signs right after that.
  await expect.poll(async () => kidOf((await it.login('hal')).access)).toBe(kid)
  const { access } = await it.login('hal')
  await until('ok', () => decide(guard, access))
  expect(await countersign(it, 'keys', 'export-public', '--pem')).toContain('BEGIN PUBLIC KEY')
})
