import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import {
  acceptInvitation,
  declineInvitation,
  listOwnInvitations,
} from '../../by-mail/accept-invitation.ts'
import { loggedIn, loggedInReader } from '../account/gates.ts'
import { FIELD_MEDIA } from '../browser/media.ts'
import { answerJson } from '../browser/session-answers.ts'
import { requireMail } from '../by-mail/answers.ts'
import { withMail } from '../by-mail/features.ts'
import { withoutRevocation } from '../effective.ts'
import { problem, problemFor } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import { describeOwnInvitation, OWN_INVITATION_EXAMPLE, ownInvitationList } from './fields.ts'

const about = { tag: 'Own account', style: 'problem', feature: withMail } as const

const letter = lazy(() =>
  z.object({
    id: sentText().optional().meta({ description: 'The id, from `GET /auth/invitations`.' }),
    link: sentText().optional().meta({
      description: 'The parameter `link` of the URL in the mail.',
    }),
    code: sentText().optional().meta({
      description: 'The code in the mail. Alone, it is compared with all of your invitations.',
    }),
  }),
)

const joined = lazy(() =>
  z.object({
    tenant: z.object({ id: z.string(), name: z.string() }),
    roles: z.array(z.string()).meta({ description: 'All of your roles in the tenant.' }),
  }),
)

const ownId = lazy(() =>
  z.object({ id: z.string().min(1).meta({ description: 'The id of the invitation.' }) }),
)

/** The routes for the invitations of a person. */
export const ownInvitationRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listOwnInvitations',
    method: 'GET',
    path: '/auth/invitations',
    summary: 'List the invitations to your verified address',
    description: 'Only open invitations. Empty if the account has no verified address.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The invitations.',
        media: 'application/json',
        schema: ownInvitationList(),
        example: { invitations: [OWN_INVITATION_EXAMPLE] },
      },
    ],
    handle:
      (services) =>
      async ({ who }) => {
        const own = await listOwnInvitations(requireMail(services), who)
        return answerJson(200, { invitations: own.map(describeOwnInvitation) })
      },
  }),
  defineRoute({
    ...about,
    id: 'acceptInvitation',
    method: 'POST',
    path: '/auth/invitations/accept',
    summary: 'Accept an invitation to a tenant',
    description: `Send the id, the link or the code. The account must have verified the invited address. An invitation works once, and takes ${limits.codeAttemptsMax} wrong codes. A member keeps the roles that they have. The session stays where it is: refresh with the tenant to enter it.`,
    gate: loggedIn,
    revokes: true,
    body: {
      format: 'fields',
      media: FIELD_MEDIA,
      schema: letter,
      example: { code: 'WDJB-MJHT' },
    },
    answers: () => [
      {
        status: 200,
        description: 'The account is a member of the tenant.',
        media: 'application/json',
        schema: joined(),
        example: { tenant: OWN_INVITATION_EXAMPLE.tenant, roles: ['editor'] },
      },
    ],
    refusals: [
      'email_unverified',
      'invitation_void',
      'invitation_for_another',
      'code_wrong',
      'roles_invalid',
      'tenant_disabled',
      'throttled',
    ],
    handle: (services) => async (input) => {
      const { id, link, code } = input.body
      if (id === undefined && link === undefined && code === undefined) {
        return problem('fields_invalid', {}, { fields: ['id', 'link', 'code'] })
      }
      const mail = requireMail(services)
      const accepted = await acceptInvitation(mail, input.who, input.body, input.caller)
      if (!accepted.ok) return problemFor(accepted)
      const { tenantId, tenantName, roles, hasRevoked } = accepted
      const answer = answerJson(200, { tenant: { id: tenantId, name: tenantName }, roles })
      return hasRevoked ? answer : withoutRevocation(answer)
    },
  }),
  defineRoute({
    ...about,
    id: 'declineInvitation',
    method: 'DELETE',
    path: '/auth/invitations/{id}',
    summary: 'Decline an invitation',
    description: 'Its link and its code no longer work.',
    gate: loggedIn,
    params: ownId,
    answers: () => [{ status: 204, description: 'Declined.' }],
    refusals: ['not_found'],
    handle: (services) => async (input) => {
      const mail = requireMail(services)
      const declined = await declineInvitation(mail, input.who, input.params.id, input.caller)
      return declined.ok ? answerJson(204, undefined) : problemFor(declined)
    },
  }),
]
