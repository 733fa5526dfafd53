import { Provider } from 'oidc-provider'

import type { SessionServices } from '../../sessions/services.ts'
import { currentFacts } from './facts.ts'

/** Revokes everything that came from a grant. The application is the actor, because it presented the used token. */
export async function revokeGrant({ store }: SessionServices, grantId: string): Promise<void> {
  const { ctx } = Provider
  const isRefresh = ctx?.oidc.params['grant_type'] === 'refresh_token'
  await store.sso.grants.revokeGrant(grantId, {
    at: store.clock.nowMs(),
    actor: ctx?.oidc.client.clientId ?? 'system',
    address: currentFacts()?.address,
    detail: isRefresh ? 'refresh_reused' : 'code_reused',
  })
}
