import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import type { InvitationSummary } from '../../store/invitations.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'

/** The parameter of a path below a tenant. */
export const tenantParam = lazy(() => z.object({ tenant: tenantName() }))

/** The parameters of a path to a member. */
export const memberParams = lazy(() =>
  z.object({
    tenant: tenantName(),
    sub: z.string().min(1).meta({ description: 'The id of the account.' }),
  }),
)

/** The parameters of a path to an invitation. */
export const invitationParams = lazy(() =>
  z.object({
    tenant: tenantName(),
    id: z.string().min(1).meta({ description: 'The id of the invitation.' }),
  }),
)

function tenantName() {
  return z.string().min(1).meta({ description: 'The name or the id of the tenant.' })
}

/** The names of roles in a body. */
export function rolesField() {
  return z
    .array(sentText())
    .max(limits.rolesMax)
    .meta({ description: 'The roles in this tenant. May be empty.' })
}

function invitationFields() {
  return {
    id: z.string(),
    roles: z.array(z.string()),
    invited_by: z
      .string()
      .nullable()
      .meta({ description: 'The username of the inviter. Null for an operator.' }),
    created_at: z.int().meta({ description: 'Seconds since 1970.' }),
    expires_at: z.int().meta({ description: 'Seconds since 1970.' }),
  }
}

/** An invitation, as those see it who manage the tenant. */
export const invitation = lazy(() => z.object({ ...invitationFields(), email: z.string() }))

/** The open invitations of a tenant. */
export const invitationList = lazy(() =>
  z.object({ invitations: z.array(invitation()).max(limits.membersListedMax) }),
)

/** The open invitations of a person. */
export const ownInvitationList = lazy(() =>
  z.object({
    invitations: z.array(
      z.object({
        ...invitationFields(),
        tenant: z.object({ id: z.string(), name: z.string() }),
      }),
    ),
  }),
)

const ID = '8Lr0jlbXlTn3vN0xkKqYIw'
/** An example of an invitation without its address and its tenant. */
const SOME = {
  id: ID,
  roles: ['editor'],
  invited_by: 'alice',
  created_at: 1_795_000_000,
  expires_at: 1_795_604_800,
}
/** An example of an invitation. */
export const INVITATION_EXAMPLE = { ...SOME, email: 'bob@example.com' }
/** An example of a person's own invitation. */
export const OWN_INVITATION_EXAMPLE = {
  ...SOME,
  tenant: { id: 'ten_c2l4dGVlbiBieXRlcw', name: 'acme' },
}

type Described = Pick<InvitationSummary, 'id' | 'roles' | 'inviter' | 'createdAt' | 'expiresAt'>

function describe({ id, roles, inviter, createdAt, expiresAt }: Described) {
  return {
    id,
    roles,
    invited_by: inviter ?? null,
    created_at: Math.floor(createdAt / 1000),
    expires_at: Math.floor(expiresAt / 1000),
  }
}

/** The body that describes an invitation to those who manage the tenant. */
export function describeInvitation(
  one: Described & Pick<InvitationSummary, 'email'>,
): Record<string, unknown> {
  return { ...describe(one), email: one.email.address }
}

/** The body that describes an invitation to the invited person. */
export function describeOwnInvitation(one: InvitationSummary): Record<string, unknown> {
  return { ...describe(one), tenant: { id: one.tenantId, name: one.tenantName } }
}
