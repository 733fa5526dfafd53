import { expect, test } from 'vitest'

import { runGeneratedClient } from './support/openapi-client.ts'

const REQUESTS = 20_000

/**
 * Operations that no generated request can make succeed: they need a WebSocket, this machine's own browser, a mail
 * address, a code from a mail, or the rights of an administrator of a tenant. Their own suites test their successes.
 */
const NEED_MORE: ReadonlySet<string> = new Set([
  'connectFeed',
  'getDevOutbox',
  'forgotPassword',
  'resetPassword',
  'askToVerifyEmail',
  'askToChangeEmail',
  'verifyEmail',
  'submitForgotPage',
  'submitResetPage',
  'submitVerifyPage',
  'submitInvitePage',
  'acceptInvitation',
  'declineInvitation',
  'listMembers',
  'setMemberRoles',
  'removeMember',
  'invite',
  'listInvitations',
  'withdrawInvitation',
  'resendInvitation',
])

test(`${REQUESTS} requests made from the OpenAPI document get answers that it describes, and no 5xx`, async () => {
  const { seen, document } = await runGeneratedClient(REQUESTS)
  const succeeded = new Set(
    [...seen.keys()].filter((key) => / 2\d\d$/.test(key)).map((key) => key.split(' ')[0]),
  )
  // Every other operation must have succeeded, otherwise the requests prove nothing.
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const never = operations.filter(({ operationId }) => !succeeded.has(operationId))
  expect(
    never.map(({ operationId }) => operationId).filter((each) => !NEED_MORE.has(each)),
  ).toEqual([])
}, 900_000)
