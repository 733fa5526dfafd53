import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import { invite, resend } from '../../by-mail/invite.ts'
import { listInvitations, withdrawInvitation } from '../../sessions/manage-tenant.ts'
import { TENANT_MEMBERS } from '../../store/tenant-rights.ts'
import { answerJson } from '../browser/session-answers.ts'
import { localeOf, requireMail } from '../by-mail/answers.ts'
import { withMail } from '../by-mail/features.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import {
  describeInvitation,
  invitation,
  INVITATION_EXAMPLE,
  invitationList,
  invitationParams,
  rolesField,
  tenantParam,
} from './fields.ts'
import { managing, readingMembers, refusedAnswer } from './gates.ts'

const about = { tag: 'Tenants', style: 'problem', feature: withMail } as const

const invitingFields = lazy(() =>
  z.object({
    email: sentText().meta({ description: 'The address to invite.' }),
    roles: rolesField().default([]),
  }),
)

const DAYS = limits.invitationLifeMs / 86_400_000

/** The routes for the invitations of a tenant. */
export const invitationRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'invite',
    method: 'POST',
    path: '/auth/tenants/{tenant}/invitations',
    summary: 'Invite an address to a tenant',
    description: `Sends a mail with a link and a code, which work for ${DAYS} days. Only an account that has verified the address can accept. The answer is the same whether or not an account has the address. Replaces an open invitation of the address to the tenant. You can only give roles whose permissions you have in the tenant.`,
    gate: managing(TENANT_MEMBERS),
    params: tenantParam,
    body: {
      format: 'fields',
      media: ['application/json'],
      schema: invitingFields,
      example: { email: 'bob@example.com', roles: ['editor'] },
    },
    answers: () => [
      {
        status: 201,
        description: 'The invitation. Its mail is on its way.',
        media: 'application/json',
        schema: invitation(),
        example: INVITATION_EXAMPLE,
      },
    ],
    refusals: ['email_invalid', 'roles_invalid', 'role_forbidden', 'throttled'],
    handle: (services) => async (input) => {
      const { email, roles } = input.body
      const inviting = { email, roles, locale: localeOf(input.request) }
      const mail = requireMail(services)
      const invited = await invite(mail, input.who.managed, inviting, input.caller)
      return invited.ok
        ? answerJson(201, describeInvitation(invited.invitation))
        : refusedAnswer(services, invited)
    },
  }),
  defineRoute({
    ...about,
    id: 'listInvitations',
    method: 'GET',
    path: '/auth/tenants/{tenant}/invitations',
    summary: 'List the open invitations of a tenant',
    description: `The newest first, at most ${limits.membersListedMax}. Expired invitations stay in the list for a month.`,
    gate: readingMembers(TENANT_MEMBERS),
    params: tenantParam,
    answers: () => [
      {
        status: 200,
        description: 'The open invitations.',
        media: 'application/json',
        schema: invitationList(),
        example: { invitations: [INVITATION_EXAMPLE] },
      },
    ],
    handle:
      ({ sessions }) =>
      async ({ who }) => {
        const invitations = await listInvitations(sessions, who.managed)
        return answerJson(200, { invitations: invitations.map(describeInvitation) })
      },
  }),
  defineRoute({
    ...about,
    id: 'withdrawInvitation',
    method: 'DELETE',
    path: '/auth/tenants/{tenant}/invitations/{id}',
    summary: 'Withdraw an open invitation',
    description: 'Its link and its code no longer work.',
    gate: managing(TENANT_MEMBERS),
    params: invitationParams,
    answers: () => [{ status: 204, description: 'Withdrawn.' }],
    handle: (services) => async (input) => {
      const { managed } = input.who
      const withdrawn = await withdrawInvitation(
        services.sessions,
        managed,
        input.params.id,
        input.caller,
      )
      return withdrawn.ok ? answerJson(204, undefined) : refusedAnswer(services, withdrawn)
    },
  }),
  defineRoute({
    ...about,
    id: 'resendInvitation',
    method: 'POST',
    path: '/auth/tenants/{tenant}/invitations/{id}/resend',
    summary: 'Send an open invitation again',
    description: `The mail has a new link and a new code, which work for ${DAYS} days. The older ones no longer work.`,
    gate: managing(TENANT_MEMBERS),
    params: invitationParams,
    answers: () => [
      {
        status: 200,
        description: 'The invitation. Its new mail is on its way.',
        media: 'application/json',
        schema: invitation(),
        example: INVITATION_EXAMPLE,
      },
    ],
    refusals: ['role_forbidden', 'throttled'],
    handle: (services) => async (input) => {
      const again = { id: input.params.id, locale: localeOf(input.request) }
      const sent = await resend(requireMail(services), input.who.managed, again, input.caller)
      return sent.ok
        ? answerJson(200, describeInvitation(sent.invitation))
        : refusedAnswer(services, sent)
    },
  }),
]
