import { usernameKey } from '../accounts/usernames.ts'
import type { Account } from '../store/rows.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import { countTry, giveBackTries } from './count-try.ts'
import { ownThrottleKey } from './identify.ts'
import type { CurrentSession } from './own-sessions.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** The person of a session has typed the password of the account. */
export interface OwnPasswordProven {
  readonly ok: true
  readonly account: Account & { readonly passwordHash: string }
  /** The buckets from which the counted attempts are removed after the change. */
  readonly guesses: readonly ThrottleBucket[]
  /** All buckets of the attempt, for a change that was not tried because the server is busy. */
  readonly all: readonly ThrottleBucket[]
}

/**
 * Checks the password of the account of a session, before a change that a stolen session must not make.
 *
 * Attempts count like logins from a known address, and also against the session. So a person with an open
 * browser cannot guess the password here, not even by using its token from many addresses.
 */
export async function proveOwnPassword(
  services: SessionServices,
  { state: { session, account: claims, username } }: CurrentSession,
  password: string,
  caller: Caller,
): Promise<OwnPasswordProven | Refusal> {
  const { store, hasher, throttle } = services
  const account = await store.accounts.get(claims.id)
  const key = ownThrottleKey(claims, usernameKey(username))
  const guesses = throttle.bucketsOf({
    usernameKey: key,
    ...caller,
    isKnownAddress: true,
    sessionId: session.id,
  })
  const logins = throttle.loginsOf(key, caller.address)
  const all = [...guesses, ...logins]
  const throttled = await countTry(services, all)
  if (throttled !== undefined) return throttled
  const isRight = await hasher.verify(account?.passwordHash, password, key)
  if (isRight === undefined) {
    await giveBackTries(services, all)
    return refuse('password_queue_full')
  }
  if (!isRight || account?.passwordHash === undefined) {
    await giveBackTries(services, logins)
    return WRONG_PASSWORD
  }
  return { ok: true, account: { ...account, passwordHash: account.passwordHash }, guesses, all }
}

/** The refusal of a wrong password of a person who is logged in. */
export const WRONG_PASSWORD: Refusal = {
  ok: false,
  code: 'credentials_invalid',
  text: 'The password is wrong.',
}
