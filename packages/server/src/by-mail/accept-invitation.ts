import { countTry } from '../sessions/count-try.ts'
import { auditContextOf, type CurrentSession } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { Accepted, InvitationSummary, PresentedInvitation } from '../store/invitations.ts'
import type { CodeHasher } from './secrets.ts'
import type { MailServices } from './services.ts'

/** The id, link and code that a person sends to accept an invitation. Each may be any text that a client sent. */
export interface PresentedLetter {
  /** From the list of the person's own invitations. */
  readonly id?: string | undefined
  readonly link?: string | undefined
  readonly code?: string | undefined
}

/** Lists the invitations that the person behind a session can accept. */
export async function listOwnInvitations(
  { sessions: { store } }: MailServices,
  { state }: CurrentSession,
): Promise<readonly InvitationSummary[]> {
  const key = await verifiedKeyOf(store, state.account.id)
  return key === undefined ? [] : store.invitations.listFor(key)
}

/**
 * Accepts an invitation for the account of a session, whose verified address must be the invited one. Whoever
 * presents the link of somebody else learns that they need another account, and not which.
 */
export async function acceptInvitation(
  services: MailServices,
  { state }: CurrentSession,
  letter: PresentedLetter,
  caller: Caller,
): Promise<Extract<Accepted, { ok: true }> | Refusal> {
  const { sessions, hasher } = services
  const { store, throttle } = sessions
  const { id: accountId } = state.account
  const throttled = await countTry(sessions, throttle.acceptsOf(accountId))
  if (throttled !== undefined) return throttled
  const key = await verifiedKeyOf(store, accountId)
  if (key === undefined) return refuse('email_unverified')
  const presented =
    letter.id === undefined && letter.link === undefined
      ? (await store.invitations.listFor(key)).map(({ id }) => present(hasher, { ...letter, id }))
      : [present(hasher, letter)]
  const context = auditContextOf(sessions, accountId, caller)
  const accepted = await store.invitations.accept(
    presented.filter((each) => each !== undefined),
    accountId,
    context,
  )
  return accepted.ok ? accepted : refuse(accepted.code)
}

/** Declines an invitation to the verified address of a session's account. */
export async function declineInvitation(
  { sessions }: MailServices,
  { state }: CurrentSession,
  id: string,
  caller: Caller,
): Promise<{ readonly ok: true } | Refusal> {
  const { id: accountId } = state.account
  const context = auditContextOf(sessions, accountId, caller)
  const change = await sessions.store.invitations.decline(id, accountId, context)
  return change === 'changed' ? { ok: true } : refuse('not_found')
}

async function verifiedKeyOf(
  { accounts }: MailServices['sessions']['store'],
  accountId: string,
): Promise<string | undefined> {
  const email = (await accounts.get(accountId))?.email
  return email?.verifiedAt === undefined ? undefined : email.key
}

function present(
  hasher: CodeHasher,
  { id, link, code }: PresentedLetter,
): PresentedInvitation | undefined {
  if (link !== undefined) {
    const byLink = hasher.present({ link, code })
    // An id besides the link must name the same invitation.
    return byLink === undefined || (id !== undefined && id !== byLink.id) ? undefined : byLink
  }
  if (id === undefined) return undefined
  return {
    id,
    linkHashes: undefined,
    codeHashes: code === undefined ? undefined : hasher.presentCode(id, code),
  }
}
