import { SourceFault } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import { checkRoles } from './role-names.ts'

/** An account that the application keeps. */
export interface SourceAccount {
  /**
   * The `sub` and `user_id` of tokens: 1 to 128 visible ASCII characters. Never reuse it for another person.
   * It must not begin with `acct_` or `svc_`: the authority uses these for its own accounts and service
   * accounts.
   */
  readonly id: string
  /** For people to read: 1 to 320 characters, no control characters. */
  readonly username: string
  /** Whether the account may log in and refresh. */
  readonly isActive: boolean
  /** At most 64 roles of at most 64 characters, as for the authority's own accounts. */
  readonly roles: readonly string[]
}

/** A value or a promise of it. */
type Answer<T> = T | PromiseLike<T>

/**
 * An application's own table of users. A method that throws, takes longer than 5 s or returns a wrong value
 * is a fault: the request is answered 503, and nobody is logged in.
 */
export interface AccountSource<A extends SourceAccount = SourceAccount> {
  /**
   * Finds the account for the name that a person typed. White space at its ends was removed. The application
   * decides which spellings mean the same account.
   */
  find(username: string): Answer<A | null | undefined>
  /** Finds an account by id. Called at each refresh, and when a token is presented to the authority. */
  get(id: string): Answer<A | null | undefined>
  /**
   * Whether the password is right, also for an account that is not active. `account` is the object that
   * `find` returned. The call must take about the same time for every account and password.
   */
  verifyPassword(account: A, password: string): Answer<boolean>
}

/** The accounts of an application. Its answers are checked. */
export interface CheckedSource {
  find(username: string): Promise<FoundAccount | undefined>
  get(id: string): Promise<FoundAccount | undefined>
  /** Undefined when too many passwords are being verified. */
  verifyPassword(found: FoundAccount, password: string): Promise<boolean> | undefined
}

/**
 * A checked account, and the object that the application returned. `verifyPassword` gets that object again.
 */
export interface FoundAccount extends SourceAccount {
  readonly given: SourceAccount
}

/**
 * Whether this is the id of an account in the authority's own table. The id of an application's account never
 * is.
 */
export function isOwnAccountId(id: string): boolean {
  return id.startsWith('acct_')
}

/** Whether an account of an application may have this id. */
export function isSourceId(id: unknown): id is string {
  return (
    typeof id === 'string' &&
    id.length <= limits.sourceIdCharsMax &&
    /^[!-~]+$/.test(id) &&
    !/^(?:acct|svc)_/.test(id)
  )
}

type Method = keyof AccountSource

/**
 * Wraps an application's accounts in checks. Throws a `TypeError` if a method is missing. Each answer is
 * read once and copied. `answerMs` is how long a call may take, in milliseconds.
 */
export function checkSource(
  source: AccountSource,
  answerMs: number = limits.sourceAnswerMs,
): CheckedSource {
  for (const name of ['find', 'get', 'verifyPassword'] as const) {
    if (typeof source[name] !== 'function') {
      throw new TypeError(`accounts.${name} must be a function.`)
    }
  }
  let calls = 0
  let passwords = 0

  /**
   * A call that is not answered in time is no longer counted, because the application may never finish it.
   */
  async function ask(method: Method, call: () => Answer<unknown>): Promise<unknown> {
    if (calls >= limits.sourceCallsMax) throw new SourceFault({ method, reason: 'too_many_calls' })
    calls += 1
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new SourceFault({ method, reason: 'no_answer' })), answerMs)
    })
    try {
      return await Promise.race([call(), late])
    } catch (error) {
      if (error instanceof SourceFault) throw error
      throw new SourceFault({ method, reason: 'threw', ...describeThrown(error) }, { cause: error })
    } finally {
      clearTimeout(timer)
      calls -= 1
    }
  }

  async function askPassword(given: SourceAccount, password: string): Promise<boolean> {
    passwords += 1
    try {
      const isRight = await ask('verifyPassword', () => source.verifyPassword(given, password))
      if (typeof isRight !== 'boolean') throw wrong('verifyPassword', 'the answer')
      return isRight
    } finally {
      passwords -= 1
    }
  }

  return {
    async find(username) {
      if (!mayBeUsername(username)) return undefined
      const given = await ask('find', () => source.find(username))
      return readAccount('find', given)
    },
    async get(id) {
      const found = readAccount('get', await ask('get', () => source.get(id)))
      if (found !== undefined && found.id !== id) throw wrong('get', 'id')
      return found
    },
    verifyPassword: ({ given }, password) =>
      passwords >= limits.passwordQueueMax ? undefined : askPassword(given, password),
  }
}

/**
 * Whether the application is asked for this name. A text that a database may fail on is not the name of an
 * account.
 */
function mayBeUsername(username: string): boolean {
  return (
    username !== '' &&
    username.length <= limits.sourceUsernameCharsMax &&
    username.isWellFormed() &&
    !username.includes('\0')
  )
}

function readAccount(method: Method, given: unknown): FoundAccount | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given !== 'object') throw wrong(method, 'the answer')
  const { id, username, isActive, roles } = given as Readonly<Record<string, unknown>>
  if (!isSourceId(id)) throw wrong(method, 'id')
  if (!isShowable(username)) throw wrong(method, 'username')
  if (typeof isActive !== 'boolean') throw wrong(method, 'isActive')
  if (!isTexts(roles) || checkRoles(roles) !== undefined) throw wrong(method, 'roles')
  return {
    id,
    username,
    isActive,
    roles: [...new Set(roles)].toSorted(),
    // The members of `given` were checked above.
    given: given as SourceAccount,
  }
}

function isShowable(username: unknown): username is string {
  return (
    typeof username === 'string' &&
    username !== '' &&
    username.length <= limits.sourceUsernameCharsMax &&
    username.isWellFormed() &&
    !/\p{Cc}/u.test(username)
  )
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

/** `field` names the part of the answer that is wrong, never its value. */
function wrong(method: Method, field: string): SourceFault {
  return new SourceFault({ method, reason: 'wrong_answer', field })
}

const FRAMES_MAX = 10

/**
 * Describes an error of the application for the log: its name, its code and its stack. Leaves out the
 * message: database drivers put the values of a query into it, and here these are names and passwords.
 */
function describeThrown(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const stack = error.stack ?? ''
  const after = stack.indexOf(error.message) + error.message.length
  const frames = stack
    .slice(after)
    .split('\n')
    .slice(1, 1 + FRAMES_MAX)
  return { error: error.name, code, at: frames.map((frame) => frame.trim()) }
}
