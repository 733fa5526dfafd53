import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'

import { createGuard, type Guard, type GuardOptions, type VerifyResult } from '@countersign/guard'
import { decodeUnverified, importSigningKey, type SigningKey } from '@countersign/jwt'
import {
  createAuthority,
  serve,
  type Authority,
  type AuthorityConfig,
  type RunningServer,
} from 'countersign'

import { createSystemRandom } from '../../packages/server/src/base/random.ts'
import { createSealer } from '../../packages/server/src/keys/sealing.ts'
import { query, withDatabase } from '../../packages/server/test/support/database.ts'
import { freePort } from '../../scripts/lib/processes.ts'

const PASSWORD = 'correct horse battery'

/** A real authority on a real port, with a service account for guards. */
export interface RunningAuthority extends AsyncDisposable {
  readonly url: string
  readonly authority: Authority
  readonly feed: { readonly clientId: string; readonly clientSecret: string }
  readonly dataDir: string
  /** Creates an account and returns the tokens of its first session. */
  login(username?: string): Promise<Pair>
  post(path: string, body: unknown): Promise<Response>
  /** Returns a connected guard with the feed. It is closed with the authority. */
  guard(options?: Partial<GuardOptions>): Promise<Guard>
  stop(): Promise<void>
  start(): Promise<void>
}

export interface Pair {
  readonly access: string
  readonly refresh: string
}

export async function runAuthority(settings: AuthorityConfig = {}): Promise<RunningAuthority> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const guards: Guard[] = []
  let authority: Authority
  let server: RunningServer | undefined

  async function start(): Promise<void> {
    authority = await createAuthority({
      publicUrl: url,
      dataDir,
      argon2MemoryKib: 8_192,
      argon2Passes: 1,
      throttle: 'off',
      logLevel: 'silent',
      ...settings,
    })
    const { fetch, feed } = authority
    server = await serve({ fetch, feed, port, host: '127.0.0.1' })
  }
  async function stop(): Promise<void> {
    await server?.close()
    await authority.close()
  }
  async function post(path: string, body: unknown): Promise<Response> {
    return fetch(`${url}${path}`, {
      method: 'POST',
      // After a restart, no connection to the previous server may be used.
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(body),
    })
  }

  await start()
  const created = await authority!.clients.create({ name: 'guards' }, 'test')
  if (!created.ok) throw new Error(created.text)
  const { client, secret } = created.value
  const feed = { clientId: client.id, clientSecret: secret.secret }
  return {
    url,
    dataDir,
    feed,
    get authority() {
      return authority
    },
    post,
    async login(username = 'alice') {
      const accounts = (await authority.accounts.list()).map((account) => account.username)
      if (!accounts.includes(username)) {
        const account = await authority.accounts.create({ username, password: PASSWORD }, 'test')
        if (!account.ok) throw new Error(account.text)
      }
      return (await (await post('/api/token/', { username, password: PASSWORD })).json()) as Pair
    },
    async guard(options = {}) {
      const guard = createGuard({ issuer: url, feed, ...options })
      guards.push(guard)
      await guard.ready()
      return guard
    },
    start,
    stop,
    async [Symbol.asyncDispose]() {
      for (const guard of guards) guard.close()
      await stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

const LAUNCHER = join(import.meta.dirname, '../../packages/server/bin/countersign.cjs')

/**
 * Runs a command as an operator does, and returns its output. `shell` adds environment variables of the
 * shell.
 */
export async function countersign(
  { dataDir, url }: RunningAuthority,
  words: readonly string[],
  shell: Readonly<Record<string, string>> = { COUNTERSIGN_PUBLIC_URL: url },
): Promise<string> {
  const env = { PATH: process.env['PATH'], COUNTERSIGN_DATA_DIR: dataDir, ...shell }
  return (await promisify(execFile)(process.execPath, [LAUNCHER, ...words], { env })).stdout
}

/** Returns the `kid` in a token's header. */
export function kidOf(token: string): string {
  const decoded = decodeUnverified(token)
  return decoded.ok ? String(decoded.header['kid']) : ''
}

/** Returns the refusal's code, or `ok`. A guard with keys and log returns its result at once. */
export function decide(guard: Guard, token: string): string {
  const result = guard.verify(token) as VerifyResult
  return result.ok ? 'ok' : result.code
}

/**
 * Repeats a question until its answer is `answer`, and returns how many milliseconds that took. Fails after
 * `withinMs`.
 */
export async function until(answer: string, ask: () => string, withinMs = 60_000): Promise<number> {
  const from = performance.now()
  let last = ask()
  while (last !== answer) {
    if (performance.now() - from > withinMs) {
      throw new Error(`still ${last} after ${withinMs} ms, not ${answer}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
    last = ask()
  }
  return performance.now() - from
}

/** Makes a complete copy of the database, as a backup does. */
export function copyDatabase(it: RunningAuthority): string {
  const copy = join(it.dataDir, `copy-${Date.now()}.db`)
  const db = new DatabaseSync(join(it.dataDir, 'countersign.db'))
  db.exec(`VACUUM INTO '${copy}'`)
  db.close()
  return copy
}

/** Replaces the database with the copy, without the command, as after a failover to a replica that lagged. */
export async function fallBack(it: RunningAuthority, copy: string): Promise<void> {
  await it.stop()
  for (const suffix of ['-wal', '-shm']) {
    rmSync(join(it.dataDir, `countersign.db${suffix}`), { force: true })
  }
  copyFileSync(copy, join(it.dataDir, 'countersign.db'))
  await it.start()
}

export async function refreshes(it: RunningAuthority, refresh: string): Promise<number> {
  return (await it.post('/api/token/refresh/', { refresh })).status
}

export async function headOf(it: RunningAuthority): Promise<{ readonly position: number }> {
  const [head] = query(it.dataDir, 'SELECT position FROM revocation_head')
  return { position: Number(head?.['position']) }
}

/** Returns the private key, which a thief with the database and the secret has. */
export function stealKey(of: RunningAuthority, kid: string): SigningKey {
  const secret = readFileSync(join(of.dataDir, 'secret'), 'utf8').trim()
  const row = withDatabase(of.dataDir, (db) =>
    db.prepare('SELECT alg, sealed FROM keys WHERE kid = ?').get(kid),
  ) as { alg: 'ES256'; sealed: Uint8Array }
  const plain = createSealer([secret], createSystemRandom()).open(
    row.sealed,
    `signing-key/access/${row.alg}/${kid}`,
  )
  const keyObject = createPrivateKey({
    key: plain ?? Buffer.alloc(0),
    format: 'der',
    type: 'pkcs8',
  })
  return importSigningKey({ keyObject }, { alg: row.alg, kid })
}
