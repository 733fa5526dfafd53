import { limits } from '../base/limits.ts'
import { randomId } from '../base/random.ts'
import { isEnrolled } from '../factors/decide.ts'
import { newRecoveryCodes } from '../factors/recovery-codes.ts'
import { describeTotp, findTotpStep, newTotpSecret, type TotpSetup } from '../factors/totp.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { NewFactor } from '../store/factors.ts'
import { readChallenge, writeChallenge, type Bearer } from './challenges.ts'
import { checkNewPasskey } from './passkeys.ts'
import { proven, refuseFactor, type FactorProven } from './factor-proven.ts'
import { totpContext } from './prove-factor.ts'
import type { FactorServices } from './services.ts'

/** What a person presents to enrol a factor. Every text may be any text that a client sent. */
export type PresentedEnrolment =
  | {
      readonly method: 'totp'
      readonly challenge: string
      readonly code: string
      readonly name?: string | undefined
    }
  | {
      readonly method: 'passkey'
      readonly challenge: string
      readonly response: unknown
      readonly name?: string | undefined
    }

/** Begins to enrol an authenticator app. The secret counts once the person has entered a code of the app. */
export async function beginTotp(
  services: FactorServices,
  bearer: Bearer,
  username: string,
  { address }: Caller,
): Promise<TotpSetup & { readonly ok: true; readonly challenge: string }> {
  const secret = newTotpSecret(services.sessions.random)
  const details = { secret: Buffer.from(secret).toString('base64url') }
  const by = { actor: bearer.accountId, address }
  const challenge = await writeChallenge(services, 'totp_enrol', bearer, details, by)
  const setup = await describeTotp(secret, { issuer: services.siteName, label: username })
  return { ok: true, challenge, ...setup }
}

/** Describes an app again that {@link beginTotp} began, for a page that is loaded again. Undefined if it is void. */
export async function describeBegunTotp(
  services: FactorServices,
  bearer: Bearer,
  username: string,
  challenge: string,
): Promise<TotpSetup | undefined> {
  const secret = await readTotpSecret(services, bearer, challenge)
  return secret && describeTotp(secret, { issuer: services.siteName, label: username })
}

/** Checks the proof of a factor that is to be enrolled. Recovery codes come with the first factor of the account. */
export async function proveEnrolment(
  services: FactorServices,
  bearer: Bearer,
  presented: PresentedEnrolment,
  caller: Caller,
): Promise<FactorProven | Refusal> {
  const read =
    presented.method === 'totp'
      ? await readTotp(services, bearer, presented, caller)
      : await readPasskey(services, bearer, presented, caller)
  if (!read.ok) return read
  const view = await services.sessions.store.factors.view(bearer.accountId)
  const isFirst = !isEnrolled(view)
  const recoveryCodes = isFirst ? newRecoveryCodes(services.sessions.random) : []
  const recovery = recoveryCodes.map((code) => services.recovery.hash(bearer.accountId, code))
  const { factor, amr } = read
  const use = { kind: 'enrol', factor, recovery } as const
  return { ...proven(services, factor.kind, amr, use), recoveryCodes }
}

type Read =
  | { readonly ok: true; readonly factor: NewFactor; readonly amr: readonly string[] }
  | Refusal

async function readTotp(
  services: FactorServices,
  bearer: Bearer,
  { challenge, code, name }: Extract<PresentedEnrolment, { method: 'totp' }>,
  caller: Caller,
): Promise<Read> {
  const { store, random } = services.sessions
  const secret = await readTotpSecret(services, bearer, challenge)
  if (secret === undefined) return refuse('challenge_void')
  // Guesses need no budget: whoever enrols knows the secret.
  const step = await findTotpStep(secret, code, -1, store.clock.nowMs())
  if (step === undefined) return refuseFactor(services, bearer.accountId, 'totp', caller)
  if ((await store.factors.takeChallenge(challenge, 'totp_enrol', bearer.subject)) === undefined) {
    return refuse('challenge_void')
  }
  const sealed = services.sealer.seal(secret, totpContext(bearer.accountId))
  return {
    ok: true,
    amr: ['otp'],
    factor: {
      id: `fac_${randomId(random)}`,
      kind: 'totp',
      name: nameOf(name, 'Authenticator app'),
      secret: new Uint8Array(sealed),
      // The code of the enrolment is used up too.
      lastStep: step,
    },
  }
}

async function readTotpSecret(
  services: FactorServices,
  bearer: Bearer,
  challenge: string,
): Promise<Buffer | undefined> {
  const details = await readChallenge(services, 'totp_enrol', challenge, bearer)
  // Only `beginTotp` writes challenges of this purpose.
  return details === undefined
    ? undefined
    : Buffer.from((details as { readonly secret: string }).secret, 'base64url')
}

async function readPasskey(
  services: FactorServices,
  bearer: Bearer,
  presented: Extract<PresentedEnrolment, { method: 'passkey' }>,
  caller: Caller,
): Promise<Read> {
  const checked = await checkNewPasskey(services, bearer, presented, caller)
  if (!checked.ok) return checked
  const { id: credentialId, ...credential } = checked.credential
  const { store, random } = services.sessions
  if ((await store.factors.findPasskey(credentialId)) !== undefined) return refuse('passkey_taken')
  return {
    ok: true,
    amr: [credential.isBackupEligible ? 'swk' : 'hwk', 'user'],
    factor: {
      id: `fac_${randomId(random)}`,
      kind: 'passkey',
      name: nameOf(presented.name, 'Passkey'),
      credentialId,
      ...credential,
    },
  }
}

/** Returns the name of a factor as it is stored: one line, not too long. */
export function nameOf(name: string | undefined, otherwise: string): string {
  const line = (name ?? '').replaceAll(/\p{C}/gu, ' ').trim()
  return [...line].slice(0, limits.factorNameCharsMax).join('') || otherwise
}
