import type { TokenEndpointResponse, TokenEndpointResponseHelpers } from 'openid-client'

import type { Connection } from './connections.ts'
import { ProfileUnreadable, subjectOf, textOf, textsOf } from './profile-fields.ts'
import type { UpstreamProfile, UpstreamProvider } from './provider.ts'

type Claims = Readonly<Record<string, unknown>>

/**
 * Reads the person out of the ID token, whose claims are checked. What it lacks comes from the userinfo endpoint, which
 * must name the same subject.
 */
export async function readOpenidProfile(
  { library, configuration }: Connection,
  provider: UpstreamProvider,
  tokens: TokenEndpointResponse & TokenEndpointResponseHelpers,
): Promise<UpstreamProfile> {
  const claims = tokens.claims()
  if (claims === undefined) throw new ProfileUnreadable('There is no ID token.')
  const { userinfo_endpoint: userinfo } = configuration.serverMetadata()
  const isMissing =
    textOf(claims['email']) === undefined ||
    (provider.roles !== undefined && claims[provider.roles.claim] === undefined)
  const more: Claims =
    isMissing && userinfo !== undefined
      ? await library.fetchUserInfo(configuration, tokens.access_token, claims.sub)
      : {}
  return profileOf(provider, claims, more)
}

/** Puts both answers together. Pure. */
export function profileOf(
  provider: UpstreamProvider,
  claims: Claims,
  more: Claims,
): UpstreamProfile {
  const of = (name: string): unknown => claims[name] ?? more[name]
  // Address and proof come from the same answer: one must not verify the address of the other.
  const source = textOf(claims['email']) === undefined ? more : claims
  const address = textOf(source['email'])
  const name = textOf(of('preferred_username')) ?? textOf(of('nickname')) ?? textOf(of('name'))
  const subject = subjectOf(claims['sub'])
  const issuer = textOf(claims['iss'])
  if (issuer === undefined) throw new ProfileUnreadable('The ID token has no issuer.')
  return {
    issuer,
    subject,
    label: address ?? name ?? subject,
    name: name ?? address,
    email:
      address === undefined
        ? undefined
        : { address, isVerified: provider.trustsEmail && isTrue(source['email_verified']) },
    groups: provider.roles === undefined ? [] : textsOf(of(provider.roles.claim)),
  }
}

/** Apple and others send the text `true`. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}
