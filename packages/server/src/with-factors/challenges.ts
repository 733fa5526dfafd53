import { limits } from '../base/limits.ts'
import { randomId } from '../base/random.ts'
import type { ChallengePurpose } from '../store/factors.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { FactorServices } from './services.ts'

/**
 * Whom a challenge belongs to: the ticket of a sign-in, or a session. Only the same one can answer it, so a challenge of
 * another person or browser is void.
 */
export interface Bearer {
  /** The id of the ticket or of the session. */
  readonly subject: string
  readonly accountId: string
}

/** The owner of a challenge that anybody can answer: before a login with a passkey alone, nobody is known. */
export interface Anybody {
  readonly subject: ''
  readonly accountId: undefined
}

/** Writes a challenge for a bearer and returns its id. The details are sealed. */
export async function writeChallenge(
  { sessions: { store, random }, sealer }: FactorServices,
  purpose: ChallengePurpose,
  { subject, accountId }: Bearer | Anybody,
  details: unknown,
  by: Pick<AuditContext, 'actor' | 'address'>,
): Promise<string> {
  const id = randomId(random)
  const now = store.clock.nowMs()
  const plain = Buffer.from(JSON.stringify(details))
  await store.factors.addChallenge(
    {
      id,
      purpose,
      subject,
      accountId,
      secretHash: new Uint8Array(),
      details: new Uint8Array(sealer.seal(plain, contextOf(id))),
      createdAt: now,
      expiresAt: now + limits.challengeLifeMs,
    },
    { at: now, ...by },
  )
  return id
}

/** Uses up a challenge of a bearer, and returns its details. Undefined if it is void. */
export async function takeChallenge(
  services: FactorServices,
  purpose: ChallengePurpose,
  id: string,
  { subject, accountId }: Bearer,
): Promise<unknown> {
  const { store } = services.sessions
  const challenge = await store.factors.takeChallenge(id, purpose, subject)
  if (challenge === undefined || challenge.accountId !== accountId) return undefined
  return openChallenge(services, challenge)
}

/** Reads a challenge of a bearer without using it up: a person may try again after a wrong code. */
export async function readChallenge(
  services: FactorServices,
  purpose: ChallengePurpose,
  id: string,
  { subject, accountId }: Bearer,
): Promise<unknown> {
  const challenge = await services.sessions.store.factors.findChallenge(id, purpose)
  if (challenge?.subject !== subject || challenge.accountId !== accountId) return undefined
  return openChallenge(services, challenge)
}

/** Opens the details of a challenge. Undefined if the server no longer has the secret that sealed them. */
export function openChallenge(
  { sealer }: FactorServices,
  { id, details }: { readonly id: string; readonly details: Uint8Array },
): unknown {
  const plain = sealer.open(details, contextOf(id))
  return plain === undefined ? undefined : JSON.parse(plain.toString())
}

function contextOf(id: string): string {
  return `challenge ${id}`
}
