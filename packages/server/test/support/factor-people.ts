import type { AuthorityConfig } from '../../src/authority.ts'
import { ISSUER, PASSWORD, type Pair } from './authority.ts'
import {
  createAuthenticator,
  type Authenticator,
  type CreationOptions,
  type RequestOptions,
} from './authenticator.ts'
import { membersOf } from './browser.ts'
import { readAnswer, type Answer } from './contract.ts'
import { callWith, enrolApp, totpAt, type App } from './factors.ts'
import { openMailingAuthority, type MailingAuthority, type SentMail } from './mails.ts'

/** The time step of an authenticator app. */
export const STEP_MS = 30_000

/** The body with which a passkey is presented. */
export interface PasskeyBody {
  readonly method: 'passkey'
  readonly challenge: string
  readonly response: unknown
}

/** An authority with people who have second factors. Every person has the same password and an own mailbox. */
export interface FactorPeople extends MailingAuthority {
  /** Creates an account with the verified address `NAME@example.com`. Returns its id. */
  create(name: string): Promise<string>
  /** Sends JSON and reads the answer. */
  send(path: string, body: unknown, address?: string): Promise<Answer>
  /** Logs in with the password. */
  logIn(name: string, password?: string): Promise<Answer>
  /** Logs in with the password, which must be all that is needed. */
  pair(name: string): Promise<Pair>
  /** Logs in with the password, which must not be enough, and returns the ticket. */
  ticket(name: string, password?: string): Promise<string>
  /** Completes a login. */
  complete(ticket: string, factor: object): Promise<Answer>
  /** Sends a request with an access token. */
  call(access: string, method: string, path: string, body?: unknown): Promise<Answer>
  /** Creates an account with an authenticator app, and moves the clock past the code of the enrolment. */
  withApp(name: string): Promise<Enrolled>
  /** Logs in with the password and the next code of the app. */
  signIn(app: Enrolled): Promise<Pair>
  /** The ids of the factors that the account of a session has. */
  factorIds(access: string): Promise<readonly string[]>
  /** Waits for the next mail of a kind. */
  mailOf(kind: string): Promise<SentMail>
  /** What an app shows now, or some steps away. */
  code(app: Pick<App, 'secret'>, steps?: number): string
  /** A code that the app does not show around now. */
  wrongCode(app: Pick<App, 'secret'>): string
  /** Enrols a passkey. */
  addPasskey(access: string, authenticator?: Authenticator): Promise<Authenticator>
  /** Asks for the options of a passkey at `path`, and answers them. */
  answerPasskey(asked: Answer, authenticator: Authenticator): PasskeyBody
}

/** An account with an authenticator app. */
export interface Enrolled extends App {
  readonly id: string
  readonly name: string
  /** The session in which the app was enrolled. */
  readonly refresh: string
}

/** Makes an authenticator for the site of the tests. */
export function newAuthenticator(isSynced = false): Authenticator {
  return createAuthenticator({ rpId: 'localhost', origin: ISSUER, isSynced })
}

/** Opens the authority of such a test. */
export async function openFactorPeople(config: AuthorityConfig = {}): Promise<FactorPeople> {
  const it = await openMailingAuthority({ mailLogin: true, ...config })
  const send: FactorPeople['send'] = async (path, body, address = '203.0.113.7') =>
    readAnswer(await it.post(path, body, { address }))
  const call: FactorPeople['call'] = (access, method, path, body) =>
    callWith(it, access, method, path, body)
  const create: FactorPeople['create'] = async (username) => {
    const { accounts } = it.authority
    const email = { address: `${username}@example.com`, verified: true }
    const created = await accounts.create({ username, password: PASSWORD }, 'test')
    if (!created.ok) throw new Error(created.text)
    const set = await accounts.setEmail(username, email, 'test')
    if (!set.ok) throw new Error(set.text)
    return created.value.id
  }
  const logIn: FactorPeople['logIn'] = (username, password = PASSWORD) =>
    send('/api/token/', { username, password })
  const pair: FactorPeople['pair'] = async (name) => {
    const answer = await logIn(name)
    if (answer.status !== 200) throw new Error(answer.text)
    return JSON.parse(answer.text) as Pair
  }
  const code: FactorPeople['code'] = ({ secret }, steps = 0) =>
    totpAt(secret, it.clock.nowMs(), steps)
  return Object.assign(it, {
    create,
    send,
    call,
    logIn,
    pair,
    code,
    async ticket(name: string, password?: string) {
      const { ticket } = membersOf(await logIn(name, password))
      if (typeof ticket !== 'string') throw new Error(`${name} needs no second factor`)
      return ticket
    },
    complete: (ticket: string, factor: object) =>
      send('/api/token/second-factor/', { ticket, ...factor }),
    async withApp(name: string) {
      const id = await create(name)
      const opened = await pair(name)
      const app = await enrolApp(it, opened)
      it.clock.advanceMs(STEP_MS)
      return { ...app, id, name, refresh: opened.refresh }
    },
    wrongCode(app: Pick<App, 'secret'>) {
      const near = new Set([-2, -1, 0, 1, 2].map((steps) => code(app, steps)))
      return ['000000', '111111', '222222', '333333', '444444', '555555'].find(
        (each) => !near.has(each),
      )!
    },
    async signIn(app: Enrolled) {
      it.clock.advanceMs(STEP_MS)
      const { ticket } = membersOf(await logIn(app.name)) as { ticket: string }
      const body = { ticket, method: 'totp', code: code(app) }
      const done = await send('/api/token/second-factor/', body)
      if (done.status !== 200) throw new Error(done.text)
      return JSON.parse(done.text) as Pair
    },
    async factorIds(access: string) {
      const { factors } = membersOf(await call(access, 'GET', '/auth/factors'))
      return (factors as { id: string }[]).map(({ id }) => id)
    },
    async mailOf(kind: string) {
      for (;;) {
        const mail = await it.nextMail()
        if (mail.kind === kind) return mail
      }
    },
    async addPasskey(access: string, authenticator = newAuthenticator()) {
      const begun = await call(access, 'POST', '/auth/factors/passkeys/challenge')
      const { challenge, options } = JSON.parse(begun.text) as {
        challenge: string
        options: CreationOptions
      }
      const response = authenticator.register(options)
      const added = await call(access, 'POST', '/auth/factors/passkeys', { challenge, response })
      if (added.status !== 200) throw new Error(added.text)
      return authenticator
    },
    answerPasskey({ text }: Answer, authenticator: Authenticator): PasskeyBody {
      const { challenge, options } = JSON.parse(text) as {
        challenge: string
        options: RequestOptions
      }
      return { method: 'passkey', challenge, response: authenticator.authenticate(options) }
    },
  })
}

/** The status of an answer, and its code if it has one. Throttled answers are the same in each style. */
export function outcomeOf({ status, text }: Answer): string {
  if (status === 429) return '429'
  const { code } = text.startsWith('{') ? (JSON.parse(text) as { code?: string }) : {}
  return code === undefined ? String(status) : `${status} ${code}`
}
