import type { FactorDecision } from '../factors/decide.ts'
import { identify } from '../sessions/identify.ts'
import { decideNeed, openSession, whyNotOpened, type SignedIn } from '../sessions/open-session.ts'
import { findPending, type Pending } from '../sessions/pending.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { Bearer } from './challenges.ts'
import { proveEnrolment, type PresentedEnrolment } from './enrol.ts'
import { proveFactor, type PresentedFactor } from './prove-factor.ts'
import { trustDevice } from './trusted-devices.ts'
import type { FactorServices } from './services.ts'

/** A sign-in that continues with its second factor. */
export interface Continuation {
  /** Any text that a client sent. */
  readonly ticket: string
  /** The factor, or the first factor of an account that must enrol one. */
  readonly presented: PresentedFactor | { readonly enrol: PresentedEnrolment }
  /** Whether the person asks that this browser is remembered. Ignored without cookies. */
  readonly remember?: boolean | undefined
  readonly forCookies: boolean
}

/** A completed sign-in. */
export interface Completed extends SignedIn {
  /** New recovery codes, which are shown once. Empty unless a first factor was enrolled. */
  readonly recoveryCodes: readonly string[]
  /** The secret of the remembered device. Undefined if it is not remembered. */
  readonly trusted: string | undefined
}

/** A ticket that is valid, and the account that it belongs to. */
export interface TicketBearer extends Bearer {
  readonly ok: true
  readonly pending: Pending
  readonly username: string
}

/** Finds the account of a ticket, for a step before the factor: options for a passkey, a mailed code, or a QR code. */
export async function readTicket(
  { sessions }: FactorServices,
  ticket: string,
): Promise<TicketBearer | Refusal> {
  const pending = await findPending(sessions, ticket)
  if (pending === undefined) return refuse('ticket_void')
  const { accountId, ticketId: subject, tenantName } = pending
  const candidate = await identify(sessions, { accountId }, { tenantName, address: '' })
  if (whyNotOpened(candidate) !== undefined) return refuse('ticket_void')
  // The session could not open. Without this, an old ticket would still allow guesses, which lock the owner's app.
  if ((candidate.account?.hardPosition ?? 0) > pending.position) return refuse('ticket_void')
  return { ok: true, pending, subject, accountId, username: candidate.account?.username ?? '' }
}

/** What a ticket still needs: the methods or the factors that the person can choose from. Uses nothing up. */
export async function readNeed(
  services: FactorServices,
  ticket: string,
  caller: Caller,
): Promise<
  { readonly ok: true; readonly bearer: TicketBearer; readonly need: FactorDecision } | Refusal
> {
  const { sessions } = services
  const bearer = await readTicket(services, ticket)
  if (!bearer.ok) return bearer
  const { accountId, pending } = bearer
  const wishes = { tenantName: pending.tenantName, address: caller.address }
  const candidate = await identify(sessions, { accountId }, wishes)
  if (candidate.account === undefined) return refuse('ticket_void')
  const opening = { candidate, proofs: pending.proofs, caller }
  const now = sessions.store.clock.nowMs()
  return { ok: true, bearer, need: await decideNeed(sessions, opening, candidate.account, now) }
}

/**
 * Completes a sign-in with its second factor. The ticket, the factor and the session are one step in the store: of
 * several calls at once, one gets a session. A wrong factor leaves the ticket valid; a used ticket stays void.
 *
 * The session counts from the position before the first proof. So a new password in between voids the ticket.
 */
export async function completeSignIn(
  services: FactorServices,
  { ticket, presented, remember, forCookies }: Continuation,
  caller: Caller,
): Promise<Completed | Refusal> {
  const { sessions } = services
  const bearer = await readTicket(services, ticket)
  if (!bearer.ok) return bearer
  const { pending, accountId } = bearer
  const proven =
    'enrol' in presented
      ? await proveEnrolment(services, bearer, presented.enrol, caller)
      : await proveFactor(services, bearer, presented, caller)
  if (!proven.ok) return proven
  const wishes = { tenantName: pending.tenantName, address: caller.address }
  const opened = await openSession(sessions, {
    candidate: await identify(sessions, { accountId }, wishes),
    proofs: pending.proofs,
    second: proven.proof,
    caller,
    forCookies,
    position: pending.position,
    vouchedBy: pending.vouchedBy,
    uses: { ticketId: pending.ticketId, use: proven.use },
  })
  if (typeof opened === 'string') {
    return refuse(opened === 'tenant_forbidden' ? opened : 'ticket_void')
  }
  if (!opened.ok) return opened
  return {
    ...opened,
    recoveryCodes: proven.recoveryCodes ?? [],
    trusted:
      remember === true && forCookies && !('enrol' in presented)
        ? await trustDevice(services, opened.session, caller)
        : undefined,
  }
}
