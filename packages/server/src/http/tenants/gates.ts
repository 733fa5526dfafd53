import { challengeFor } from '@countersign/guard'

import {
  findManagedTenant,
  type ManagedTenant,
  type TenantRefused,
} from '../../sessions/manage-tenant.ts'
import type { TenantPermission } from '../../store/tenant-rights.ts'
import { loggedIn, PERMISSION_MISSING, SESSION_REFUSALS, type LoggedIn } from '../account/gates.ts'
import { problemFor } from '../problem.ts'
import type { Gate } from '../router/gate.ts'
import type { HttpServices } from '../services.ts'

/** A person and the tenant of the path, which they manage. */
export interface Managing extends LoggedIn {
  readonly managed: ManagedTenant
}

/**
 * Lets in a person who has the permission in the tenant of the path: through a role in that tenant, while the
 * session is in it, or through a global role.
 */
export function managing(permission: TenantPermission): Gate<Managing> {
  return {
    ...loggedIn,
    permission,
    refusals: [...SESSION_REFUSALS, PERMISSION_MISSING, 'not_found', 'tenant_disabled'],
    async enter(services, visit) {
      const entered = await loggedIn.enter(services, visit)
      if (!entered.ok) return entered
      const { who } = entered
      const { tenant = '' } = visit.params
      const found = await findManagedTenant(services.sessions, who, tenant, permission)
      return found.ok
        ? { ok: true, who: { ...who, managed: found.managed } }
        : { ok: false, response: refusedAnswer(services, found) }
    },
  }
}

/** Like `managing`, for a route that changes nothing: a browser needs no CSRF token. */
export function readingMembers(permission: TenantPermission): Gate<Managing> {
  return { ...managing(permission), csrf: 'none' }
}

/** The answer to a refused request. A missing permission is answered like by a guard. */
export function refusedAnswer({ sessions }: HttpServices, refused: TenantRefused): Response {
  if (refused.code !== 'permission_missing') return problemFor(refused)
  const missing = { ok: false, code: refused.code, reason: 'permission' } as const
  const { status, headers, body } = challengeFor(missing, sessions.access.issuer)
  return new Response(body, { status, headers })
}
