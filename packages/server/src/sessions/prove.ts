import { limits } from '../base/limits.ts'
import type { Proof } from '../factors/proof.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import { auditRefusedLogin } from './audit-login.ts'
import { countTry, giveBackTries } from './count-try.ts'
import type { Candidate } from './identify.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/** A proof that the authority checked itself, and the attempts that were counted for it. */
export interface Proven {
  readonly ok: true
  readonly proof: Proof
  /** The buckets from which these attempts are removed when the session opens. */
  readonly giveBack: readonly ThrottleBucket[]
}

/**
 * Checks a password. The attempt is counted before the check, so a thousand attempts at once get no more
 * checks than attempts in sequence. An unknown account costs the same work as a wrong password.
 */
export async function provePassword(
  services: SessionServices,
  candidate: Candidate,
  password: string,
  caller: Caller,
): Promise<Proven | Refusal> {
  const { account, throttleKey, isKnownAddress } = candidate
  const { throttle } = services
  const guesses = throttle.bucketsOf({
    usernameKey: throttleKey,
    ...caller,
    isKnownAddress,
    hardPosition: account?.hardPosition,
  })
  const logins = throttle.loginsOf(throttleKey, caller.address)
  const throttled = await countTry(services, [...guesses, ...logins])
  if (throttled !== undefined) return throttled

  const isRight = await verifyPassword(services, candidate, password)
  if (isRight === undefined) {
    await giveBackTries(services, [...guesses, ...logins])
    return refuse('password_queue_full')
  }
  if (account === undefined || !isRight) {
    // Otherwise wrong passwords would use up the logins of the owner.
    await giveBackTries(services, logins)
    const reason = account === undefined ? 'unknown_account' : 'wrong_password'
    await auditRefusedLogin(services, { account, address: caller.address, reason })
    return refuse('credentials_invalid')
  }
  return {
    ok: true,
    proof: { kind: 'password', amr: ['pwd'], at: services.clock.nowMs() },
    giveBack: guesses,
  }
}

/**
 * Costs about the same whether or not the account exists. Returns undefined if the password would wait too
 * long.
 */
async function verifyPassword(
  { source, hasher }: SessionServices,
  { account, found, throttleKey }: Candidate,
  password: string,
): Promise<boolean | undefined> {
  if (source === undefined) return hasher.verify(account?.passwordHash, password, throttleKey)
  return found === undefined || !mayBePassword(password)
    ? hasher.verify(undefined, password, throttleKey)
    : source.verifyPassword(found, password)
}

/**
 * Whether a text is within the bounds of our own passwords. An application's hash function may fail on other
 * texts.
 */
function mayBePassword(password: string): boolean {
  return Buffer.byteLength(password) <= limits.passwordBytesMax && !password.includes('\0')
}
