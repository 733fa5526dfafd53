import type { MailPurpose } from '../store/mail-codes.ts'

/** The purpose of a link, as the setting `links` names it. `app` is the page to which people go afterwards. */
export type LinkPurpose = 'sign-up' | 'verify' | 'reset' | 'log-in' | 'invite' | 'app'

/** The pages of the application that links open. */
export type Links = Readonly<Partial<Record<LinkPurpose, string>>>

/** All purposes of links. */
export const LINK_PURPOSES: readonly LinkPurpose[] = [
  'sign-up',
  'verify',
  'reset',
  'log-in',
  'invite',
  'app',
]

/** The purposes of codes that come with a link. */
export type LinkedPurpose = Exclude<MailPurpose, 'second_factor'>

const PURPOSES: Readonly<Record<LinkedPurpose, LinkPurpose>> = {
  sign_up: 'sign-up',
  verify_email: 'verify',
  change_email: 'verify',
  reset_password: 'reset',
  log_in: 'log-in',
}

/**
 * Returns the URL in a mail: the page of the application for this purpose, otherwise the page of the server. It
 * never depends on a request, because a forged Host header would send the secret to another server.
 */
export function linkUrl(
  { publicUrl, links }: { readonly publicUrl: string; readonly links: Links },
  purpose: LinkedPurpose | 'invite',
  link: string,
): string {
  const name = purpose === 'invite' ? purpose : PURPOSES[purpose]
  const url = new URL(links[name] ?? `${publicUrl}/auth/account/${name}`)
  url.searchParams.set('link', link)
  return url.href
}
