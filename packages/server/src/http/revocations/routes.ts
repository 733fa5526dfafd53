import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import type { FeedReader } from '../../sessions/feed-access.ts'
import { problem } from '../problem.ts'
import { defineRoute, type ApiRoute } from '../router/define.ts'
import { anyone, type Gate } from '../router/gate.ts'
import { lazy } from '../router/lazy.ts'
import { BASIC_CHALLENGE } from './feed-authentication.ts'
import { FEED_PATH } from './feed-socket.ts'
import { answerGuardMessages, answerPoll, POLL_PATH, type Poll } from './poll.ts'

// The paths are exact, so a proxy that blocks one of them has no second spelling to block.
const about = { tag: 'Revocation feed', style: 'problem', isExact: true } as const

/** Lets in a service account that may read the feed. */
const guard: Gate<FeedReader> = {
  authentication: 'guard',
  csrf: 'none',
  refusals: ['client_invalid', 'client_auth_repeated', 'feed_forbidden', 'throttled'],
  isAfterBody: false,
  async enter({ feed }, { request, caller }) {
    const reader = await feed.authenticate(request.headers.get('authorization'), caller)
    if (reader.ok) return { ok: true, who: reader }
    const { code, retryAfterSec } = reader
    const headers = {
      ...(code === 'client_invalid' ? BASIC_CHALLENGE : {}),
      ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
    }
    return { ok: false, response: problem(code, headers) }
  },
}

const guardId = lazy(() =>
  z
    .string()
    .regex(/^[\w-]{16,64}$/)
    .meta({ description: 'The name that the guard chose: 16 to 64 characters of base64url.' }),
)

function whole(description: string): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .refine((value) => Number.isSafeInteger(value))
    .meta({ description })
}

const pollQuery = lazy(() =>
  z
    .object({
      guard: guardId(),
      after: whole(
        'The newest log position of the copy in the guard. Requires `chain`.',
      ).optional(),
      chain: z
        .string()
        .regex(/^[\w-]{43}$/)
        .optional()
        .meta({ description: 'The chain value at `after`: 32 bytes in base64url.' }),
      nonce: z
        .string()
        .regex(/^[\w-]{16,64}$/)
        .optional()
        .meta({
          description:
            'A random value. The answer repeats it with the head of the log, for the lease.',
        }),
      clock: whole('The clock of the guard, in milliseconds since 1970.').optional(),
      wait: whole(
        `How many milliseconds to wait for messages, at most ${limits.feedPollMs}. Default 0.`,
      ).optional(),
      handed: z
        .string()
        .optional()
        .meta({ description: '`true` after the guard has sent evidence of lost entries.' }),
      keys: z
        .string()
        .optional()
        .meta({ description: 'The `tag` of the keys that the guard holds.' }),
      roles: z
        .string()
        .optional()
        .meta({ description: 'The `tag` of the roles that the guard holds.' }),
    })
    .refine(({ after, chain }) => (after === undefined) === (chain === undefined), {
      path: ['chain'],
    })
    .transform(
      ({ guard: name, after, chain, nonce, clock, wait = 0, handed, keys, roles }): Poll => ({
        guard: name,
        resume:
          after === undefined || chain === undefined
            ? { type: 'resume' }
            : { type: 'resume', position: after, chain, handed: handed === 'true' },
        nonce,
        clock,
        knows: [keys, roles].filter((each) => each !== undefined),
        waitMs: Math.min(wait, limits.feedPollMs),
      }),
    ),
)

const message = lazy(() => z.looseObject({ type: z.string() }))
const messages = lazy(() => z.object({ messages: z.array(message()) }))
const guardMessages = lazy(() =>
  z.object({ guard: guardId(), messages: z.array(message()).max(16) }),
)

/** The revocation feed: by WebSocket, and by polling. */
export const feedRoutes: readonly ApiRoute[] = [
  defineRoute({
    ...about,
    id: 'connectFeed',
    method: 'GET',
    path: FEED_PATH,
    summary: 'Connect to the revocation feed by WebSocket',
    description:
      'Guards connect here, with the credentials of a service account in a Basic header and their name in the query parameter `guard`. A request without an upgrade to `websocket` gets 426.',
    gate: anyone,
    answers: () => [],
    refusals: ['upgrade_required'],
    handle: () => () => problem('upgrade_required', { upgrade: 'websocket' }),
  }),
  defineRoute({
    ...about,
    id: 'pollFeed',
    method: 'GET',
    path: POLL_PATH,
    summary: 'Poll the revocation feed',
    description:
      'For services that cannot hold a WebSocket. The answer has the same messages as the WebSocket. It comes with the first new message, or after `wait` milliseconds without one.',
    gate: guard,
    query: pollQuery,
    answers: () => [
      {
        status: 200,
        description: 'The messages, oldest first.',
        media: 'application/json',
        schema: messages(),
        example: { messages: [{ type: 'resumed', position: 12 }] },
      },
    ],
    handle:
      ({ feed }) =>
      ({ who, query, request }) =>
        answerPoll(feed, who, query, request.signal),
  }),
  defineRoute({
    ...about,
    id: 'sendGuardMessages',
    method: 'POST',
    path: POLL_PATH,
    summary: 'Send the messages of a guard that polls to the authority',
    description: `A guard sends confirmations here, and evidence of lost entries. At most ${limits.feedMessageBytesMax / 2 ** 20} MiB; the media type is not checked.`,
    gate: guard,
    body: {
      format: 'own',
      media: ['application/json'],
      schema: guardMessages,
      example: {
        guard: 'b3VyLW9yZGVycy1zZXJ2aWNl',
        messages: [{ type: 'applied', position: 12 }],
      },
    },
    answers: () => [{ status: 204, description: 'Received.' }],
    refusals: ['fields_invalid', 'body_too_large'],
    handle:
      ({ feed }) =>
      ({ who, request }) =>
        answerGuardMessages(feed, who, request),
  }),
]
