import { checkCode } from '../by-mail/use-code.ts'
import { findTotpStep } from '../factors/totp.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { GuessKind } from '../store/factors.ts'
import { readChallenge, type Bearer } from './challenges.ts'
import { proven, refuseFactor, type FactorProven } from './factor-proven.ts'
import { provePasskey } from './passkeys.ts'
import type { FactorServices } from './services.ts'

/** What a person presents as a second factor. Every text may be any text that a client sent. */
export type PresentedFactor =
  | { readonly method: 'totp' | 'recovery_code'; readonly code: string }
  | { readonly method: 'mail'; readonly challenge: string; readonly code: string }
  | { readonly method: 'passkey'; readonly challenge: string; readonly response: unknown }

/**
 * Checks a second factor. A guess at the code of an app is counted before it is checked, so a thousand guesses at once
 * get no more checks than guesses in sequence. All paths share the count. Other codes are too long to guess, or void
 * after five wrong ones: only wrong ones are counted, after the check.
 */
export async function proveFactor(
  services: FactorServices,
  bearer: Bearer,
  presented: PresentedFactor,
  caller: Caller,
): Promise<FactorProven | Refusal> {
  switch (presented.method) {
    case 'totp':
      return proveTotp(services, bearer.accountId, presented.code, caller)
    case 'recovery_code':
      return proveRecoveryCode(services, bearer.accountId, presented.code, caller)
    case 'mail':
      return proveMailedCode(services, bearer, presented, caller)
    case 'passkey':
      return provePasskey(services, bearer, presented, caller)
  }
}

async function proveTotp(
  services: FactorServices,
  accountId: string,
  code: string,
  caller: Caller,
): Promise<FactorProven | Refusal> {
  const { store } = services.sessions
  const totp = await store.factors.totp(accountId)
  if (totp === undefined) return refuse('factor_unavailable')
  const tooMany = await countGuess(services, accountId, 'totp')
  if (tooMany !== undefined) return tooMany
  const secret = services.sealer.open(totp.secret, totpContext(accountId))
  if (secret === undefined) throw new Error('The secret of an authenticator app cannot be opened.')
  const step = await findTotpStep(secret, code, totp.lastStep, store.clock.nowMs())
  if (step === undefined) return refuseFactor(services, accountId, 'totp', caller)
  return proven(services, 'totp', ['otp'], { kind: 'totp', factorId: totp.id, step })
}

/** The context under which the secret of an authenticator app is sealed. */
export function totpContext(accountId: string): string {
  return `totp ${accountId}`
}

async function proveRecoveryCode(
  services: FactorServices,
  accountId: string,
  code: string,
  caller: Caller,
): Promise<FactorProven | Refusal> {
  const hashes = services.recovery.candidates(accountId, code)
  const { factors } = services.sessions.store
  if (hashes === undefined || !(await factors.hasRecoveryCode(accountId, hashes))) {
    return refuseWrong(services, accountId, 'recovery_code', caller)
  }
  // RFC 8176 has no value of its own for a code from a list. It is a one-time password.
  return proven(services, 'recovery_code', ['otp'], { kind: 'recovery_code', hashes })
}

async function proveMailedCode(
  services: FactorServices,
  bearer: Bearer,
  { challenge, code }: { readonly challenge: string; readonly code: string },
  caller: Caller,
): Promise<FactorProven | Refusal> {
  const { byMail } = services
  if (byMail === undefined) return refuse('factor_unavailable')
  const details = await readChallenge(services, 'mail_second', challenge, bearer)
  if (details === undefined) return refuse('challenge_void')
  // Only `askForMail` writes challenges of this purpose.
  const { ticket } = details as { readonly ticket: string }
  const right = await checkCode(byMail, { ticket, code }, ['second_factor'], caller)
  if (!right.ok) {
    return right.code === 'code_void'
      ? refuse('challenge_void')
      : refuseWrong(services, bearer.accountId, 'mail', caller)
  }
  if (right.account?.id !== bearer.accountId) return refuse('challenge_void')
  return proven(services, 'mail', ['otp'], { kind: 'mail', codeId: right.code.id })
}

/**
 * Refuses a wrong code that is long enough to be checked without a budget. Only wrong ones are counted and wait: a wait for
 * all codes would let anybody with the password keep the owner out. A mailed code is void after five wrong ones by itself.
 */
async function refuseWrong(
  services: FactorServices,
  accountId: string,
  kind: 'recovery_code' | 'mail',
  caller: Caller,
): Promise<Refusal> {
  const tooMany = await countGuess(services, accountId, kind)
  return tooMany ?? refuseFactor(services, accountId, kind, caller)
}

/** Counts a guess. Returns the refusal if no guess is allowed now. */
async function countGuess(
  { sessions: { store } }: FactorServices,
  accountId: string,
  kind: GuessKind,
): Promise<Refusal | undefined> {
  const decision = await store.factors.countGuess(accountId, kind)
  switch (decision.kind) {
    case 'allowed':
      return undefined
    case 'wait':
      return { ok: false, code: 'throttled', retryAfterSec: decision.retryAfterSec }
    case 'locked':
      return refuse('factor_locked')
  }
}
