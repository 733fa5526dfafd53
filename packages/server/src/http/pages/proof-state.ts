import { recognise } from '../../by-mail/recognise.ts'
import type { Presented } from '../../by-mail/secrets.ts'
import type { MailServices } from '../../by-mail/services.ts'
import { maskAddress } from '../../mail/safe-text.ts'
import type { MailPurpose } from '../../store/mail-codes.ts'

/**
 * What a browser has of a mail.
 *
 * - `asker`: the link, and the ticket of whoever asked. Only here the page shows the address.
 * - `recipient`: the link only. A scanner of a mail system has no more than that.
 * - `waiting`: the ticket only. The page must not depend on whether the address has an account.
 * - `nothing`: neither.
 * - `void`: a link that does not work.
 */
export type ProofState =
  | { readonly kind: 'asker'; readonly maskedAddress: string }
  | { readonly kind: 'recipient' | 'waiting' | 'nothing' | 'void' }

/** The purposes of the codes that a page accepts. */
export interface PagePurposes {
  readonly withLink: readonly MailPurpose[]
  readonly whileWaiting: readonly MailPurpose[]
}

/** Reads what a browser has, without any effect: programs open links and press buttons. */
export async function readProofState(
  services: MailServices,
  { link, ticket }: Omit<Presented, 'code'>,
  { withLink, whileWaiting }: PagePurposes,
): Promise<ProofState> {
  const code = await recognise(services, { link, ticket })
  if (link === undefined) {
    const isWaiting = code !== undefined && whileWaiting.includes(code.askedFor)
    return { kind: isWaiting ? 'waiting' : 'nothing' }
  }
  if (code?.hasLink !== true || !withLink.includes(code.purpose)) return { kind: 'void' }
  return code.hasTicket
    ? { kind: 'asker', maskedAddress: maskAddress(code.email.address) }
    : { kind: 'recipient' }
}
