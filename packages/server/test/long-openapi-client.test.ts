import { expect, test } from 'vitest'

import { runGeneratedClient } from './support/openapi-client.ts'

const REQUESTS = 20_000

/**
 * Operations that no generated request can make succeed: they need a WebSocket, this machine's own browser, a mail
 * address, a code from a mail, a second factor, or the rights of an administrator of a tenant. Their own suites test
 * their successes.
 */
const NEED_MORE: ReadonlySet<string> = new Set([
  'connectFeed',
  'getDevOutbox',
  'forgotPassword',
  'resetPassword',
  'askToVerifyEmail',
  'askToChangeEmail',
  'verifyEmail',
  'acceptInvitation',
  'declineInvitation',
  'listMembers',
  'setMemberRoles',
  'removeMember',
  'invite',
  'listInvitations',
  'withdrawInvitation',
  'resendInvitation',
  'obtainTokensWithFactor',
  'obtainTokensWithPasskey',
  'logInWithFactor',
  'logInWithPasskey',
  'challengeFactor',
  'enrolAtLogin',
  'challengeStepUp',
  'addTotp',
  'addPasskey',
  'replaceRecoveryCodes',
  'renameFactor',
  'removeFactor',
  'showSecondFactorPage',
  'showFactorPage',
])

/** Forms need a page of the server around them, and lead to another page. */
const isForm = (operationId: string): boolean => /^submit\w+Page$/.test(operationId)

test(`${REQUESTS} requests made from the OpenAPI document get answers that it describes, and no 5xx`, async () => {
  const { seen, document } = await runGeneratedClient(REQUESTS)
  const succeeded = new Set(
    [...seen.keys()].filter((key) => / 2\d\d$/.test(key)).map((key) => key.split(' ')[0]),
  )
  // Every other operation must have succeeded, otherwise the requests prove nothing.
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const never = operations.filter(({ operationId }) => !succeeded.has(operationId))
  const names = never.map(({ operationId }) => operationId)
  expect(names.filter((each) => !NEED_MORE.has(each) && !isForm(each))).toEqual([])
}, 900_000)
