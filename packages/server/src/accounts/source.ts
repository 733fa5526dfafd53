import { SourceFault } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import { checkRoles } from './role-names.ts'

/** An account as the application has it. */
export interface SourceAccount {
  /**
   * Never used again for somebody else: it becomes the tokens' `sub` and `user_id`. 1 to 128 visible
   * ASCII characters. `acct_` and `svc_` at its beginning are ours: nobody may be taken for an account
   * of our own table or for a service account.
   */
  readonly id: string
  /** For people to read: 1 to 320 characters, no control characters. */
  readonly username: string
  readonly isActive: boolean
  /** The bounds are those of our own accounts: at most 64, of 64 characters each. */
  readonly roles: readonly string[]
}

/** An answer at once, or later. */
type Answer<T> = T | PromiseLike<T>

/**
 * An application's own table of users. What throws, takes longer than 5 s or answers with something else
 * than it should is a fault, and never a yes: the request is answered 503.
 */
export interface AccountSource<A extends SourceAccount = SourceAccount> {
  /**
   * The account of what a person typed as their name, without white space at its ends. Which spellings
   * are one account is for the application to say.
   */
  find(username: string): Answer<A | null | undefined>
  /** Asked at each refresh, and wherever the authority itself is shown a token. */
  get(id: string): Answer<A | null | undefined>
  /**
   * Whether this is the password, also where the account is not active. `account` is what `find` gave.
   * Takes about as long for every account and for every password.
   */
  verifyPassword(account: A, password: string): Answer<boolean>
}

/** The same, checked. */
export interface CheckedSource {
  find(username: string): Promise<FoundAccount | undefined>
  get(id: string): Promise<FoundAccount | undefined>
  /** Undefined when too many passwords are being verified. */
  verifyPassword(found: FoundAccount, password: string): Promise<boolean> | undefined
}

/** What was checked, and what the application gave, which it gets back. */
export interface FoundAccount extends SourceAccount {
  readonly given: SourceAccount
}

/** Whether an id is one of our own table's. An application's never is. */
export function isOwnAccountId(id: string): boolean {
  return id.startsWith('acct_')
}

/** Whether an application's account may have this id. */
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
 * Makes an application's accounts safe to ask. Throws a `TypeError` where a method is missing. Reads
 * each answer once, into an object of its own.
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

  /** Calls that got no answer in time count no more: the application may have lost them for good. */
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

/** Whether an application is asked for this name at all: what a database may choke on is nobody's. */
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
    // Its members were just looked at.
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

/** `field` names what is not as it should be, never its value. */
function wrong(method: Method, field: string): SourceFault {
  return new SourceFault({ method, reason: 'wrong_answer', field })
}

const FRAMES_MAX = 10

/**
 * What the log may say of an error of the application: its kind, its code and the place. Not its text: a
 * driver's repeats the values of a query, which here are names and passwords.
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
