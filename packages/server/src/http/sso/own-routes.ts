import { z } from 'zod'

import {
  listOwnApplications,
  revokeOwnApplication,
  type OwnApplication,
} from '../../sso/own-applications.ts'
import { loggedIn, loggedInReader } from '../account/gates.ts'
import { answerRenewed, renewedAnswers } from '../account/renewed.ts'
import { answerJson } from '../browser/session-answers.ts'
import { problemFor } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { lazy } from '../router/lazy.ts'
import { withSso } from './features.ts'

const about = { tag: 'Own account', style: 'problem', feature: withSso } as const

const applicationList = lazy(() =>
  z.object({
    applications: z.array(
      z.object({
        id: z.string().meta({ description: 'The `client_id` of the application.' }),
        title: z.string().meta({ description: 'The name that people see.' }),
        disabled: z.boolean().meta({ description: 'Whether an operator has disabled it.' }),
        scopes: z.array(z.string()),
        resources: z.array(z.string()).meta({ description: 'The services that it may use.' }),
        given_at: z.int().meta({ description: 'Seconds since 1970.' }),
        changed_at: z.int().meta({ description: 'The last change of the consent.' }),
      }),
    ),
  }),
)

const applicationId = lazy(() =>
  z.object({ id: z.string().min(1).meta({ description: 'The id of the application.' }) }),
)

/** The routes for the applications that a person has allowed. */
export const ownApplicationRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'listOwnApplications',
    method: 'GET',
    path: '/auth/applications',
    summary: 'List the applications that may use your account',
    description: 'Those that you have allowed, the newest first.',
    gate: loggedInReader,
    answers: () => [
      {
        status: 200,
        description: 'The applications.',
        media: 'application/json',
        schema: applicationList(),
        example: {
          applications: [
            {
              id: 'app_0rZ2Rk0tQnq3b1bIY2Tq6g',
              title: 'Shop',
              disabled: false,
              scopes: ['email', 'openid'],
              resources: [],
              given_at: 1_795_000_000,
              changed_at: 1_795_000_000,
            },
          ],
        },
      },
    ],
    handle:
      ({ sessions }) =>
      async ({ who }) => {
        const applications = await listOwnApplications(sessions, who.state)
        return answerJson(200, { applications: applications.map(describe) })
      },
  }),
  defineRoute({
    ...about,
    id: 'revokeApplication',
    method: 'DELETE',
    path: '/auth/applications/{id}',
    summary: 'Remove the access of an application',
    description:
      'Its refresh tokens stop working, and it asks you again at your next login there. All access tokens of your account become stale. Your session gets a new one.',
    gate: loggedIn,
    revokes: true,
    params: applicationId,
    answers: renewedAnswers,
    refusals: ['not_found'],
    handle:
      ({ sessions }) =>
      async ({ who, params, caller }) => {
        const revoked = await revokeOwnApplication(sessions, who, params.id, caller)
        return revoked.ok ? answerRenewed(sessions, who, revoked) : problemFor(revoked)
      },
  }),
]

function describe(application: OwnApplication): Readonly<Record<string, unknown>> {
  const { id, title, isDisabled, scopes, resources, givenAt, changedAt } = application
  return {
    id,
    title,
    disabled: isDisabled,
    scopes,
    resources,
    given_at: Math.floor(givenAt / 1000),
    changed_at: Math.floor(changedAt / 1000),
  }
}
