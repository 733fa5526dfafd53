import type { EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { ThrottleBucket } from '../store/throttle.ts'
import { auditRefusedLogin } from './audit-login.ts'
import { countTry, giveBackTries } from './count-try.ts'
import type { Candidate } from './identify.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from './services.ts'

/**
 * The result of the second step of a sign-in: evidence that the person is the owner of the account. A proof
 * only describes what was checked. A sign-in needs at least one.
 */
export interface Proof {
  /** The methods, as RFC 8176 values: `['pwd']` for a password. Never empty. */
  readonly amr: readonly string[]
  /** The authentication context class that this proof reaches, if it has a name. */
  readonly acr?: string | undefined
  /** When the person gave the proof, in milliseconds since 1970. */
  readonly at: EpochMs
}

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
  const logins = throttle.loginsOf(throttleKey)
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
  return { ok: true, proof: { amr: ['pwd'], at: services.clock.nowMs() }, giveBack: guesses }
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

/** The summary of all proofs, as the session row keeps it. */
export interface Authentication {
  readonly authenticatedAt: EpochMs
  readonly amr: readonly string[]
  readonly acr: string | undefined
}

/**
 * Sums up the proofs of one sign-in. Pure. The time is that of the newest proof, `amr` has every value once,
 * and `acr` is the one of the last proof with an `acr`.
 */
export function summarizeProofs(proofs: readonly [Proof, ...Proof[]]): Authentication {
  return {
    authenticatedAt: Math.max(...proofs.map(({ at }) => at)),
    amr: [...new Set(proofs.flatMap(({ amr }) => amr))],
    acr: proofs.findLast(({ acr }) => acr !== undefined)?.acr,
  }
}
