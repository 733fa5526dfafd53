import type { AccessTokenClaims } from '@countersign/guard'

import { inspectForClient, type Inspected } from '../../sessions/inspect.ts'
import type { SessionServices } from '../../sessions/services.ts'
import type { Client } from '../../store/rows.ts'
import { answerTokenJson } from './answers.ts'

/**
 * `POST /oauth2/introspect` (RFC 7662): the current state of a token, for services without a copy of the
 * revocation log. A token that is not valid gets `active: false` without a reason (§2.2). A service account
 * that is bound to a tenant also gets that answer for the tokens of all other tenants.
 */
export async function answerIntrospect(
  services: SessionServices,
  client: Client,
  token: string,
): Promise<Response> {
  const inspected = await inspectForClient(services, client, token)
  return answerTokenJson(200, inspected.ok ? describe(services, inspected) : { active: false })
}

/** Describes a live access token (RFC 7662 §2.2). */
export function describeAccess(claims: AccessTokenClaims, username: string | undefined): object {
  const { csh: _, ...shown } = claims
  return {
    ...shown,
    // These members follow the claims, because an application may have added claims with these names.
    active: true,
    token_type: claims['cnf'] === undefined ? 'Bearer' : 'DPoP',
    ...(username === undefined ? {} : { username }),
  }
}

function describe({ access }: SessionServices, token: Inspected): object {
  if (token.kind === 'access') return describeAccess(token.claims, token.username)
  const { sub, sid, iat, exp, jti } = token.claims
  const { session, username } = token.state
  const client = { client_id: session.clientId }
  return { active: true, iss: access.issuer, sub, sid, iat, exp, jti, ...client, username }
}
