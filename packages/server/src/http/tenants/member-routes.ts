import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import { changeMember, listMembers } from '../../sessions/manage-tenant.ts'
import { TENANT_MEMBERS, TENANT_ROLES } from '../../store/tenant-rights.ts'
import { ownAccounts } from '../account/routes.ts'
import { answerJson } from '../browser/session-answers.ts'
import { withoutRevocation } from '../effective.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import type { HttpServices } from '../services.ts'
import { memberParams, rolesField, tenantParam } from './fields.ts'
import { managing, readingMembers, refusedAnswer } from './gates.ts'

const about = { tag: 'Tenants', style: 'problem', feature: ownAccounts } as const

const memberList = lazy(() =>
  z.object({
    members: z
      .array(
        z.object({
          sub: z.string().meta({ description: 'The id of the account.' }),
          username: z.string(),
          roles: z.array(z.string()).meta({ description: 'The roles in this tenant.' }),
          disabled: z.boolean(),
          since: z.int().meta({ description: 'Seconds since 1970.' }),
        }),
      )
      .max(limits.membersListedMax),
  }),
)

const newRoles = lazy(() => z.object({ roles: rolesField() }))

/** The routes for the members of a tenant. */
export const memberRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listMembers',
    method: 'GET',
    path: '/auth/tenants/{tenant}/members',
    summary: 'List the members of a tenant',
    description: `By username, at most ${limits.membersListedMax}.`,
    gate: readingMembers(TENANT_MEMBERS),
    params: tenantParam,
    answers: () => [
      {
        status: 200,
        description: 'The members.',
        media: 'application/json',
        schema: memberList(),
        example: {
          members: [
            {
              sub: 'acct_0rZ2Rk0tQnq3b1bIY2Tq6g',
              username: 'alice',
              roles: ['editor'],
              disabled: false,
              since: 1_795_000_000,
            },
          ],
        },
      },
    ],
    handle:
      ({ sessions }) =>
      async ({ who }) => {
        const members = await listMembers(sessions, who.managed)
        return answerJson(200, {
          members: members.map(({ accountId, username, roles, isDisabled, since }) => ({
            sub: accountId,
            username,
            roles,
            disabled: isDisabled,
            since: Math.floor(since / 1000),
          })),
        })
      },
  }),
  defineRoute({
    ...about,
    id: 'setMemberRoles',
    method: 'PUT',
    path: '/auth/tenants/{tenant}/members/{sub}',
    summary: 'Set the roles of a member',
    description:
      'Replaces the roles in the tenant. You can only give roles whose permissions you have in the tenant. The account must be a member already: invite others.',
    gate: managing(TENANT_ROLES),
    revokes: true,
    params: memberParams,
    body: {
      format: 'fields',
      media: ['application/json'],
      schema: newRoles,
      example: { roles: ['editor'] },
    },
    answers: () => [{ status: 204, description: 'The member has these roles.' }],
    refusals: ['roles_invalid', 'role_forbidden', 'member_protected', 'last_administrator'],
    handle:
      (services) =>
      async ({ who, params, body, caller }) => {
        const change = { sub: params.sub, roles: body.roles }
        const changed = await changeMember(services.sessions, who.managed, change, caller)
        return changedAnswer(services, changed)
      },
  }),
  defineRoute({
    ...about,
    id: 'removeMember',
    method: 'DELETE',
    path: '/auth/tenants/{tenant}/members/{sub}',
    summary: 'Remove a member from a tenant',
    description:
      'The account stays, and its sessions continue without the tenant. Withdraws the open invitations that the member sent for the tenant.',
    gate: managing(TENANT_MEMBERS),
    revokes: true,
    params: memberParams,
    answers: () => [{ status: 204, description: 'The account is no longer a member.' }],
    refusals: ['member_protected', 'last_administrator'],
    handle:
      (services) =>
      async ({ who, params, caller }) => {
        const change = { sub: params.sub, roles: undefined }
        const changed = await changeMember(services.sessions, who.managed, change, caller)
        return changedAnswer(services, changed)
      },
  }),
]

function changedAnswer(
  services: HttpServices,
  changed: Awaited<ReturnType<typeof changeMember>>,
): Response {
  if (!changed.ok) return refusedAnswer(services, changed)
  const answer = answerJson(204, undefined)
  return changed.hasRevoked ? answer : withoutRevocation(answer)
}
