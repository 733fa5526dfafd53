import { createHash, timingSafeEqual } from 'node:crypto'

import { limits } from '../base/limits.ts'
import { randomId } from '../base/random.ts'
import type { FactorDecision } from '../factors/decide.ts'
import type { Proof } from '../factors/proof.ts'
import type { Challenge } from '../store/factors.ts'
import type { Account } from '../store/rows.ts'
import type { Caller, Refusal, SessionServices } from './services.ts'

/** What a ticket remembers of a sign-in: everything but the second factor. */
export interface PendingDetails {
  readonly proofs: readonly [Proof, ...Proof[]]
  /** The log position before the first proof. */
  readonly position: number
  /** The tenant that the sign-in named. */
  readonly tenantName: string | undefined
  readonly vouchedBy: { readonly actor: string; readonly detail: string } | undefined
}

/** A sign-in that waits for a second factor. */
export interface Pending extends PendingDetails {
  readonly ticketId: string
  readonly accountId: string
}

/** Writes the ticket of a sign-in that needs a second factor, and returns the refusal that carries it. */
export async function askForFactor(
  { store, random }: SessionServices,
  account: Pick<Account, 'id'>,
  details: PendingDetails,
  decision: Exclude<FactorDecision, { kind: 'enough' }>,
  caller: Caller,
): Promise<Refusal> {
  const id = randomId(random)
  const secret = random.bytes(32).toString('base64url')
  const now = store.clock.nowMs()
  await store.factors.addChallenge(
    {
      id,
      purpose: 'sign_in',
      subject: '',
      accountId: account.id,
      secretHash: hashSecret(secret),
      details: new Uint8Array(Buffer.from(JSON.stringify(details))),
      createdAt: now,
      expiresAt: now + limits.ticketLifeMs,
    },
    { at: now, actor: account.id, address: caller.address },
  )
  const isEnrolment = decision.kind === 'enrol'
  return {
    ok: false,
    code: isEnrolment ? 'second_factor_enrolment_required' : 'second_factor_required',
    pending: {
      ticket: `${id}.${secret}`,
      methods: isEnrolment ? [] : decision.methods,
      enrol: isEnrolment ? decision.factors : [],
      expiresInSec: limits.ticketLifeMs / 1000,
    },
  }
}

const TICKET = /^([\w-]{22})\.([\w-]{43})$/

/** Finds the sign-in of a ticket, which may be any text that a client sent. Uses nothing up. */
export async function findPending(
  { store }: SessionServices,
  ticket: string,
): Promise<Pending | undefined> {
  const [, id, secret] = TICKET.exec(ticket) ?? []
  if (id === undefined || secret === undefined) return undefined
  const challenge = await store.factors.findChallenge(id, 'sign_in')
  if (challenge?.accountId === undefined || !hasSecret(challenge, secret)) return undefined
  return { ...readDetails(challenge), ticketId: id, accountId: challenge.accountId }
}

/** Whether a text is the secret of a challenge. Compares in constant time. */
function hasSecret({ secretHash }: Pick<Challenge, 'secretHash'>, secret: string): boolean {
  const hash = hashSecret(secret)
  return hash.length === secretHash.length && timingSafeEqual(hash, secretHash)
}

/** Hashes a random secret of 256 bits for the store. */
export function hashSecret(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest())
}

function readDetails({ details }: Challenge): PendingDetails {
  // Only `askForFactor` writes challenges of this purpose.
  return JSON.parse(Buffer.from(details).toString()) as PendingDetails
}
