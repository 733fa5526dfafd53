import { z } from 'zod'

import { lazy } from '../router/lazy.ts'

const tenant = lazy(() => z.object({ id: z.string(), name: z.string() }))

/** The account of a session, as answers describe it. */
export const me = lazy(() =>
  z.object({
    sub: z.string().meta({ description: 'The id of the account.' }),
    username: z.string(),
    email: z.string().optional().meta({ description: 'Absent if the account has no address.' }),
    email_verified: z.boolean().optional(),
    user_id: z
      .string()
      .meta({ description: 'The imported Django id, otherwise the same as `sub`.' }),
    roles: z.array(z.string()).meta({ description: 'The global roles.' }),
    permissions: z.array(z.string()).meta({ description: 'The permissions of the global roles.' }),
    tenant_roles: z
      .array(z.string())
      .optional()
      .meta({ description: 'The roles in the tenant of the session. Absent without a tenant.' }),
    tenant_permissions: z.array(z.string()).optional().meta({
      description: 'The permissions of the roles in the tenant. Absent without a tenant.',
    }),
    tenant: tenant().nullable().meta({ description: 'The tenant of the session.' }),
    tenants: z.array(tenant()).meta({ description: 'The tenants of the account.' }),
    sid: z.string().meta({ description: 'The id of the session.' }),
    auth_time: z.int().meta({
      description: 'When the person logged in, or last stepped up: seconds since 1970.',
    }),
    amr: z.array(z.string()).meta({ description: 'How the person has proved who they are.' }),
    acr: z.string().optional().meta({ description: '`aal2`: with two factors.' }),
  }),
)
