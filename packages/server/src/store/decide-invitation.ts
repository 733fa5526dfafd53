import type { EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { isAnyEqual } from './decide-code.ts'
import type { AcceptRefusal, Invitation, PresentedInvitation } from './invitations.ts'

/**
 * Decides whether the owner of a verified address may accept an invitation. Undefined if so. Pure.
 * `code_wrong` must be counted.
 *
 * The address is the proof. A link can be forwarded, and a scanner opens it, so the link alone gives nothing:
 * other products let whoever was logged in accept it. Whoever has the link of somebody else learns only that
 * another account is needed. Without the link, an invitation of somebody else looks like none.
 */
export function decideInvitation(
  invitation: Invitation | undefined,
  presented: PresentedInvitation,
  verifiedKey: string,
  now: EpochMs,
): AcceptRefusal | undefined {
  if (invitation?.state !== 'open' || now >= invitation.expiresAt) return 'invitation_void'
  const { linkHashes, codeHashes } = presented
  const hasLink = isAnyEqual(invitation.linkHash, linkHashes)
  if (invitation.email.key !== verifiedKey) {
    return hasLink ? 'invitation_for_another' : 'invitation_void'
  }
  if (linkHashes !== undefined && !hasLink) return 'invitation_void'
  if (codeHashes === undefined) return undefined
  if (invitation.attempts >= limits.codeAttemptsMax) return 'invitation_void'
  return isAnyEqual(invitation.codeHash, codeHashes) ? undefined : 'code_wrong'
}
