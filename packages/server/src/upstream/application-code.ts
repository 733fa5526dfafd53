import type { EpochMs } from '../base/clock.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { IdentityKey } from '../store/identities.ts'
import type { Store } from '../store/store.ts'
import { challengeOf } from './transaction.ts'

/** How long an application has to exchange its code. */
const CODE_MS = 60_000

/** The meaning of a code: an account that signs in, or an identity that a session links. */
export type CodeSubject =
  | {
      readonly kind: 'sign_in'
      readonly provider: string
      readonly key: IdentityKey
      readonly label: string
      readonly accountId: string
      /** The log position before the first proof. */
      readonly position: number
      readonly provenAt: EpochMs
      readonly tenant: string | undefined
    }
  | {
      readonly kind: 'link'
      readonly provider: string
      readonly key: IdentityKey
      readonly label: string
    }

interface SealedCode {
  readonly id: string
  readonly challenge: string
  readonly expiresAt: EpochMs
  readonly subject: CodeSubject
}

const CONTEXT = 'upstream code'
const CONSUMED = 'upstream_code'

/** Makes the code that an application exchanges once, with the verifier of its challenge. Nothing is stored. */
export function makeCode(
  { sealer, random }: { readonly sealer: Sealer; readonly random: Random },
  now: EpochMs,
  challenge: string,
  subject: CodeSubject,
): string {
  const code: SealedCode = { id: randomId(random), challenge, expiresAt: now + CODE_MS, subject }
  return sealer.seal(Buffer.from(JSON.stringify(code)), CONTEXT).toString('base64url')
}

/**
 * Uses up a code. Undefined if it is wrong, old or used, or if the verifier does not belong to it. A wrong verifier
 * leaves the code valid: otherwise whoever saw the code could void it.
 */
export async function redeemCode(
  { sealer, store }: { readonly sealer: Sealer; readonly store: Store },
  { code, verifier }: { readonly code: string; readonly verifier: string },
): Promise<CodeSubject | undefined> {
  const plain = sealer.open(Buffer.from(code, 'base64url'), CONTEXT)
  if (plain === undefined) return undefined
  // Only `makeCode` seals with this context.
  const { id, challenge, expiresAt, subject } = JSON.parse(plain.toString()) as SealedCode
  if (store.clock.nowMs() >= expiresAt || challengeOf(verifier) !== challenge) return undefined
  return (await store.consume(CONSUMED, id, expiresAt)) ? subject : undefined
}
