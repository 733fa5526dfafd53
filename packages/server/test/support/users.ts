import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pino from 'pino'

import type { AccountSource, SourceAccount } from '../../src/accounts/source.ts'
import {
  createAuthority,
  type SourcedAuthority,
  type SourcedAuthorityConfig,
} from '../../src/authority.ts'
import { ISSUER, PASSWORD, TestClock, USERNAME, type From, type Pair } from './authority.ts'

/** A user of an application. */
export interface User extends SourceAccount {
  isActive: boolean
  roles: string[]
  password: string
}

/** The users of an application in its own table. `before` runs before each look-up. */
export class TestUsers implements AccountSource<User> {
  readonly users = new Map<string, User>()
  /** Each look-up with its argument. */
  readonly asked: string[] = []
  before: (method: keyof AccountSource) => unknown = () => undefined

  add(id: string, username: string, password = PASSWORD): User {
    const user: User = { id, username, isActive: true, roles: ['reader'], password }
    this.users.set(id, user)
    return user
  }

  async find(username: string): Promise<User | undefined> {
    this.asked.push(`find ${username}`)
    await this.before('find')
    const name = username.toLowerCase()
    return [...this.users.values()].find((user) =>
      [user.username, `${user.username}@example.com`].includes(name),
    )
  }

  async get(id: string): Promise<User | null> {
    this.asked.push(`get ${id}`)
    await this.before('get')
    return this.users.get(id) ?? null
  }

  async verifyPassword(user: User, password: string): Promise<boolean> {
    this.asked.push(`verifyPassword ${user.id}`)
    await this.before('verifyPassword')
    return user.password === password
  }
}

export interface TestApplication extends AsyncDisposable {
  readonly authority: SourcedAuthority
  readonly users: TestUsers
  readonly clock: TestClock
  readonly dataDir: string
  /** Each line of the log. */
  readonly log: string[]
  post(path: string, body: unknown, from?: Partial<From>): Promise<Response>
  /** `GET /auth/me` with an access token. */
  me(access: string): Promise<Response>
  login(credentials?: object): Promise<Pair>
}

export const ALICE = 'user-1'

/** An authority for an application with its own users. It has one: alice, a reader. */
export async function openTestApplication(
  config: Partial<SourcedAuthorityConfig> = {},
): Promise<TestApplication> {
  const users = new TestUsers()
  users.add(ALICE, USERNAME)
  const clock = new TestClock()
  const dataDir = config.dataDir ?? mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const log: string[] = []
  const authority = await createAuthority({
    publicUrl: ISSUER,
    dataDir,
    argon2MemoryKib: 8_192,
    argon2Passes: 1,
    throttle: 'off',
    clock,
    logger: pino({ base: null }, { write: (line) => void log.push(line) }),
    accounts: users,
    ...config,
  })
  const fetch = (request: Request, address = '203.0.113.7'): Promise<Response> =>
    authority.fetch(request, { address })
  const post: TestApplication['post'] = (path, body, from = {}) => {
    const headers = {
      'content-type': 'application/json',
      'user-agent': from.userAgent ?? 'test-agent',
    }
    const request = new Request(`${ISSUER}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    return fetch(request, from.address)
  }
  return {
    authority,
    users,
    clock,
    dataDir,
    log,
    post,
    me: (access) =>
      fetch(new Request(`${ISSUER}/auth/me`, { headers: { authorization: `Bearer ${access}` } })),
    async login(credentials = { username: USERNAME, password: PASSWORD }) {
      const response = await post('/api/token/', credentials)
      if (response.status !== 200) throw new Error(`login answered ${response.status}`)
      return (await response.json()) as Pair
    },
    async [Symbol.asyncDispose]() {
      await authority.close()
      if (config.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
