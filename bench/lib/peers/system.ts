import { fork } from 'node:child_process'
import { join, resolve } from 'node:path'

import { HttpConnection } from '../http-connection.ts'

/** The core of each server and of its database. The load has the other. */
export const SERVER_CORE = 0

/** The number of clients that refresh, and that call the protected route. Each has its own account and session. */
export const CLIENTS = 64

/** The number of clients that log in, each to its own account. */
export const LOGIN_CLIENTS = 8

/** The accounts `user0`, `user1`... The last ones log in, so that their sessions do not mix with those that refresh. */
export const ACCOUNTS = CLIENTS + LOGIN_CLIENTS

export const PASSWORD = 'only for benchmarks'

export const PEERS_FOLDER = resolve(import.meta.dirname, '../../peers')

/** One system that is compared, running, with its configuration. */
export interface System extends AsyncDisposable {
  readonly name: string
  /** Its version, and the settings that matter. Printed with the results. */
  readonly settings: string
  readonly operations: readonly Operation[]
}

export type Kind = 'refresh' | 'login' | 'protected route'

/** Something that clients ask a system for, again and again. */
export interface Operation {
  readonly kind: Kind
  /** Tells two operations of one kind and system apart, such as `Express`. */
  readonly variant: string
  readonly port: number
  /** Sends one request. Returns true if the answer is a success, and for a refresh also something new. */
  step(connection: HttpConnection, client: number): Promise<boolean>
  /** Called once after all measurements. Throws if the refreshes had no effect on the system. */
  prove?(): Promise<void>
}

export interface ForkedPeer<Hello> extends AsyncDisposable {
  readonly hello: Hello
}

/** Starts a program of `bench/peers`, bound to the core of servers, and waits for its first message. */
export async function forkPeer<Hello>(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ForkedPeer<Hello>> {
  const child = fork(join(PEERS_FOLDER, file), args, {
    execPath: 'taskset',
    execArgv: [
      '-c',
      String(SERVER_CORE),
      process.execPath,
      '--disable-warning=ExperimentalWarning',
    ],
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ACCOUNT_PASSWORD: PASSWORD, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  const hello = await new Promise<Hello>((done, reject) => {
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
    child.once('message', (message) => done(message as Hello))
  })
  return {
    hello,
    async [Symbol.asyncDispose]() {
      process.off('exit', kill)
      child.kill()
      await ended
    },
  }
}

/** The two tokens of a client. */
export interface Pair {
  refresh: string
  access: string
}

/**
 * Refreshes with the newest token of each client. The answer must contain a new token. `prove` sends the first token of a
 * client again, which the system must refuse.
 */
export function rotating(options: {
  readonly port: number
  readonly pairs: readonly Pair[]
  readonly send: (connection: HttpConnection, refresh: string) => ReturnType<HttpConnection['post']>
  /** Where the tokens are in the answer. */
  readonly names: { readonly refresh: string; readonly access: string | undefined }
}): Operation {
  const { port, pairs, send, names } = options
  const first = pairs.map(({ refresh }) => refresh)
  return {
    kind: 'refresh',
    variant: '',
    port,
    async step(connection, client) {
      const pair = pairs[client]
      if (pair === undefined) throw new Error(`client ${client} has no session`)
      const { status, body } = await send(connection, pair.refresh)
      if (status !== 200) return false
      const answer = JSON.parse(body) as Readonly<Record<string, unknown>>
      const refresh = answer[names.refresh]
      if (typeof refresh !== 'string' || refresh === pair.refresh) return false
      pair.refresh = refresh
      if (names.access !== undefined) pair.access = String(answer[names.access])
      return true
    },
    async prove() {
      const connection = await HttpConnection.open(port)
      const { status } = await send(connection, first[0] ?? '')
      connection.close()
      if (status === 200) throw new Error('a refresh token that was rotated still works')
    },
  }
}

/** Logs in to the accounts behind those that refresh, with a JSON body. */
export function loggingIn(options: {
  readonly port: number
  readonly path: string
  readonly hash: string
  readonly body: (username: string) => object
}): Operation {
  const bodies = Array.from({ length: LOGIN_CLIENTS }, (_, client) =>
    JSON.stringify(options.body(`user${CLIENTS + client}`)),
  )
  return {
    kind: 'login',
    variant: options.hash,
    port: options.port,
    async step(connection, client) {
      return (await connection.post(options.path, bodies[client] ?? '')).status === 200
    },
  }
}

/** Calls a protected route with the newest access token of each client. */
export function callingWith(options: {
  readonly port: number
  readonly path: string
  readonly variant: string
  readonly pairs: readonly Pair[]
}): Operation {
  return {
    kind: 'protected route',
    variant: options.variant,
    port: options.port,
    async step(connection, client) {
      return (
        (await connection.get(options.path, options.pairs[client]?.access ?? '')).status === 200
      )
    },
  }
}

/** The operations of SimpleJWT's contract, which Countersign keeps too. */
export function simpleJwtOperations(options: {
  readonly port: number
  readonly pairs: readonly Pair[]
  readonly hash: string
}): Operation[] {
  const { port, pairs, hash } = options
  return [
    rotating({
      port,
      pairs,
      send: (connection, refresh) =>
        connection.post('/api/token/refresh/', JSON.stringify({ refresh })),
      names: { refresh: 'refresh', access: 'access' },
    }),
    loggingIn({
      port,
      path: '/api/token/',
      hash,
      body: (username) => ({ username, password: PASSWORD }),
    }),
  ]
}
