import { errors, type Client } from 'oidc-provider'

import type { SessionServices } from '../../sessions/services.ts'
import { SCOPES } from '../scopes.ts'
import { applicationOf } from './clients.ts'

/** The facts about a resource for the library. */
interface ResourceInfo {
  readonly scope: string
  readonly audience: string
  readonly accessTokenFormat: 'jwt'
}

/**
 * Returns the audience of a resource (RFC 8707). The issuer stands for the server's own audience, which need not be a
 * URI. Any other resource must be registered by the application.
 */
export function resourceInfo(
  { access }: Pick<SessionServices, 'access'>,
  resource: string,
  client: Client,
): ResourceInfo {
  const { issuer, audience } = access
  const isOwn = resource === issuer || resource === audience
  if (!isOwn && !applicationOf(client).registration.resources.includes(resource)) {
    throw new errors.InvalidTarget('The application has not registered this resource.')
  }
  return {
    scope: SCOPES.join(' '),
    audience: isOwn ? audience : resource,
    accessTokenFormat: 'jwt',
  }
}

/** Returns the resources of a stored request. Without any, the server's own. */
export function resourcesIn(resource: unknown, issuer: string): readonly string[] {
  const all: readonly unknown[] = Array.isArray(resource) ? resource : [resource]
  const named = all.filter((each) => typeof each === 'string')
  return named.length === 0 ? [issuer] : named
}
