import type { Context, Grant, Provider } from 'oidc-provider'

import type { SessionServices } from '../../sessions/services.ts'
import { readAllowed, withoutOwn, type Allowed } from '../consent.ts'
import { needsConsent } from '../decide-consent.ts'
import type { Session } from '../../store/rows.ts'
import { neededAccountOf, secondsUntilEnd } from './accounts.ts'
import { applicationOf, type KnownApplication } from './clients.ts'
import { wantedOf } from './policy.ts'
import { readResult } from './results.ts'

/**
 * Finds or makes the grant of a request. Returns undefined if the person must be asked first. A session has one grant
 * for an application, so logins that repeat do not add rows.
 */
export async function loadGrant(
  provider: Provider,
  services: SessionServices,
  context: Context,
): Promise<Grant | undefined> {
  const { store, access } = services
  const { oidc } = context
  const { state } = neededAccountOf(context)
  const application = applicationOf(oidc.client)
  const wanted = wantedOf(context)
  const accountId = state.account.id
  if (readResult(oidc.result).consentOf !== accountId) {
    const consent = await store.sso.grants.consent(accountId, application.id)
    const isNeeded = needsConsent({
      registration: application.registration,
      redirectUri: oidc.params['redirect_uri'],
      isAsked: oidc.params['prompt']?.split(' ').includes('consent') === true,
      wanted: withoutOwn(wanted, access),
      remembered: consent && readAllowed(consent.allowed),
    })
    if (isNeeded) return undefined
  }
  const knownId = oidc.session.grantIdFor(application.id)
  return openGrant(provider, services, { session: state.session, application, wanted, knownId })
}

/** Returns the grant of a session for an application, with everything that is wanted. It ends with the session. */
export async function openGrant(
  { Grant }: Provider,
  services: SessionServices,
  {
    session,
    application,
    wanted,
    knownId,
  }: {
    readonly session: Pick<Session, 'id' | 'endsAt'>
    readonly application: Pick<KnownApplication, 'id'>
    readonly wanted: Allowed
    readonly knownId: string | undefined
  },
): Promise<Grant> {
  const known = knownId === undefined ? undefined : await Grant.find(knownId)
  const isOwn = known?.accountId === session.id && known.clientId === application.id
  const grant =
    known !== undefined && isOwn
      ? known
      : new Grant({
          accountId: session.id,
          clientId: application.id,
          expiresIn: secondsUntilEnd(services, session),
        })
  const missing = missingIn(grant, wanted)
  if (grant.jti !== undefined && missing.scopes.length + missing.resources.length === 0)
    return grant
  grant.addOIDCScope(wanted.scopes.join(' '))
  for (const resource of wanted.resources) grant.addResourceScope(resource, wanted.scopes.join(' '))
  await grant.save()
  return grant
}

function missingIn(grant: Grant, { scopes, resources }: Allowed): Allowed {
  const has = (list: string, scope: string): boolean => list.split(' ').includes(scope)
  const known = grant.getOIDCScopeEncountered()
  return {
    scopes: scopes.filter((each) => !has(known, each)),
    resources: resources.filter((resource) => {
      const list = grant.getResourceScopeEncountered(resource)
      return !scopes.every((scope) => has(list, scope))
    }),
  }
}
