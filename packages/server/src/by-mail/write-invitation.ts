import { invitationEnd, type WriteInvitation } from '../accounts/invitations.ts'
import type { Random } from '../base/random.ts'
import type { Mailer } from '../mail/compose.ts'
import { linkUrl, type Links } from './links.ts'
import { newCodeSecrets, type CodeHasher } from './secrets.ts'

/**
 * Creates the writer of invitations. It looks up no account: the mail and the time that it takes are the same
 * for everybody.
 */
export function createInvitationWriter(
  pages: { readonly publicUrl: string; readonly links: Links },
  {
    hasher,
    mailer,
    random,
  }: { readonly hasher: CodeHasher; readonly mailer: Mailer; readonly random: Random },
): WriteInvitation {
  return ({ id, to, tenantName, inviter, locale, now }) => {
    const secrets = newCodeSecrets(random, id)
    const expiresAt = invitationEnd(now)
    const url = linkUrl(pages, 'invite', secrets.link)
    const values = { code: secrets.code, url, expiresAt, tenant: tenantName, inviter }
    return {
      id: secrets.id,
      linkHash: hasher.hash('link', secrets),
      codeHash: hasher.hash('code', secrets),
      expiresAt,
      mail: mailer.compose('invitation', { to, locale, accountId: undefined, values }, now),
    }
  }
}
