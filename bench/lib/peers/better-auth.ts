import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { HttpConnection } from '../http-connection.ts'
import type { Postgres } from '../../../tests/support/postgres.ts'
import { socketOf, versionOf } from './postgres-socket.ts'
import { ACCOUNTS, forkPeer, loggingIn, PASSWORD, type Operation, type System } from './system.ts'

interface Hello {
  /** For each account, the cookie with the session token and the cookie with the cached session. */
  readonly cookies: readonly string[]
  readonly ports: Readonly<Record<'renewing' | 'plain' | 'me' | 'meCached', number>>
}

/** Where better-auth keeps its sessions. With `NORMAL`, SQLite can lose its last commits in a power failure. */
export type Storage = Postgres | { readonly synchronous: 'FULL' | 'NORMAL' }

/** Starts better-auth in one process. */
export async function startBetterAuth(version: string, storage: Storage): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-better-auth-'))
  await using started = new AsyncDisposableStack()
  started.defer(() => rmSync(folder, { recursive: true, force: true }))
  const { name, text, env } = await describe(storage, folder)
  const { hello } = started.use(await forkPeer<Hello>('better-auth.mjs', [String(ACCOUNTS)], env))
  const { cookies, ports } = hello
  const running = started.move()
  const refresh = renewing(ports, cookies.map(withoutCache))
  const others = [
    loggingIn({
      port: ports.plain,
      path: '/api/auth/sign-in/email',
      hash: 'scrypt, N 16,384, r 16',
      body: (username) => ({ email: `${username}@bench.example`, password: PASSWORD }),
    }),
    calling('getSession in Express', ports.me, cookies.map(withoutCache)),
    calling('getSession in Express, cookie cache', ports.meCached, cookies),
  ]
  // How SQLite writes matters only for refreshes.
  const isDurable = !('synchronous' in storage) || storage.synchronous === 'FULL'
  return {
    name: `better-auth, ${name}`,
    settings: `${version}, ${text}, rate limit off`,
    operations: isDurable ? [refresh, ...others] : [refresh],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function describe(
  storage: Storage,
  folder: string,
): Promise<{ name: string; text: string; env: Readonly<Record<string, string>> }> {
  if ('synchronous' in storage) {
    const { synchronous } = storage
    return {
      name: synchronous === 'FULL' ? 'SQLite' : 'not durable',
      text: `node:sqlite, WAL, synchronous=${synchronous}`,
      env: { SQLITE_PATH: join(folder, 'auth.db'), SQLITE_SYNCHRONOUS: synchronous },
    }
  }
  await storage.query('CREATE DATABASE better_auth')
  return {
    name: 'PostgreSQL',
    text: `pg with a pool, ${await versionOf(storage)} with durable commits`,
    env: socketOf(storage),
  }
}

/** The session token comes first. */
function withoutCache(cookies: string): string {
  return cookies.slice(0, cookies.indexOf('; '))
}

/**
 * Asks for the session of an instance whose `updateAge` is 0. It writes a later end of the session, and sets the cookie
 * again. The token stays the same, and nothing is signed with a private key.
 */
function renewing(ports: Hello['ports'], cookies: readonly string[]): Operation {
  const ends = cookies.map(() => '')
  const read = async (connection: HttpConnection, client: number): Promise<string | undefined> => {
    const { status, body } = await connection.getWith(
      '/api/auth/get-session',
      `Cookie: ${cookies[client]}`,
    )
    if (status !== 200) return undefined
    const answer = JSON.parse(body) as { readonly session: { readonly expiresAt: string } } | null
    return answer?.session.expiresAt
  }
  return {
    kind: 'refresh',
    variant: 'getSession, updateAge 0',
    port: ports.renewing,
    async step(connection, client) {
      const end = await read(connection, client)
      // ISO times of one length sort as text.
      if (end === undefined || end <= (ends[client] ?? '')) return false
      ends[client] = end
      return true
    },
    async prove() {
      const connection = await HttpConnection.open(ports.plain)
      const stored = await read(connection, 0)
      connection.close()
      if (stored === undefined || stored !== ends[0]) throw new Error('a renewal was not stored')
    },
  }
}

function calling(variant: string, port: number, cookies: readonly string[]): Operation {
  return {
    kind: 'protected route',
    variant,
    port,
    async step(connection, client) {
      return (await connection.getWith('/me', `Cookie: ${cookies[client]}`)).status === 200
    },
  }
}
