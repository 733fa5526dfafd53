import type { RegistrationInput } from '../sso/registration.ts'

/** The flags of a registration, and the member that each sets. */
export const APPLICATION_MEMBERS: Readonly<Record<string, keyof RegistrationInput>> = {
  kind: 'kind',
  'redirect-uri': 'redirectUris',
  'post-logout-redirect-uri': 'postLogoutRedirectUris',
  'backchannel-logout-uri': 'backchannelLogoutUri',
  'start-url': 'startUrl',
  'first-party': 'firstParty',
  grant: 'grants',
  resource: 'resources',
  'auth-method': 'authMethod',
  jwks: 'jwks',
  'jwks-uri': 'jwksUri',
  dpop: 'dpop',
}

/** The name of a member in messages of commands: the flag that sets it. */
export function flagOf(member: string): string {
  const [, name = member, index = ''] = /^(\w+)(.*)$/.exec(member) ?? []
  const flag = Object.keys(APPLICATION_MEMBERS).find((each) => APPLICATION_MEMBERS[each] === name)
  const at = /^\[(\d+)\]$/.exec(index)?.[1]
  if (flag === undefined) return member
  return at === undefined ? `--${flag}` : `--${flag} (number ${Number(at) + 1})`
}
