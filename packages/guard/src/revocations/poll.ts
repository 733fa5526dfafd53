import { FeedFault, type FeedConnectionFaultCode } from './feed-fault.ts'
import { readAuthorityMessage, type AuthorityMessage, type GuardMessage } from './messages.ts'
import { basicAuthorization, FEED_MESSAGE_CHARS_MAX, type FeedAddress } from './socket.ts'

/** How long an answer may take besides the time that the poll waits for news, in milliseconds. */
const ANSWER_MS = 4_000

interface Asker extends FeedAddress {
  readonly fetch: typeof globalThis.fetch
}

/** The content of one poll. */
export interface PollQuery {
  readonly opened: GuardMessage
  readonly asked: GuardMessage
  /** The tags of the keys and roles that the guard has. */
  readonly keys: string | undefined
  readonly roles: string | undefined
  readonly waitMs: number
}

/**
 * The feed over plain HTTP requests. Both functions reject with a `FeedFault`, or with the error of `fetch`.
 */
export const pollFeed = { ask, tell }

async function ask(
  asker: Asker,
  query: PollQuery,
  closing: AbortSignal,
): Promise<readonly AuthorityMessage[]> {
  const url = `${asker.url}/revocations?${queryOf(asker.guardId, query).toString()}`
  const response = await asker.fetch(url, {
    headers: { authorization: basicAuthorization(asker) },
    redirect: 'error',
    signal: AbortSignal.any([closing, AbortSignal.timeout(query.waitMs + ANSWER_MS)]),
  })
  const text = await readText(response)
  const { messages }: { messages?: unknown } = parse(text)
  if (!Array.isArray(messages)) throw new FeedFault('feed_malformed')
  return messages.map((message) => {
    const read = readAuthorityMessage(message)
    if (read === undefined) throw new FeedFault('feed_malformed')
    return read
  })
}

async function tell(
  asker: Asker,
  messages: readonly GuardMessage[],
  closing?: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(ANSWER_MS)
  const response = await asker.fetch(`${asker.url}/revocations`, {
    method: 'POST',
    headers: { authorization: basicAuthorization(asker), 'content-type': 'application/json' },
    body: JSON.stringify({ guard: asker.guardId, messages }),
    redirect: 'error',
    signal: closing === undefined ? late : AbortSignal.any([closing, late]),
  })
  await readText(response)
}

function queryOf(
  guard: string,
  { opened, asked, keys, roles, waitMs }: PollQuery,
): URLSearchParams {
  const query = new URLSearchParams({ guard, wait: String(waitMs) })
  if (opened.type === 'resume' && opened.position !== undefined) {
    query.set('after', String(opened.position))
    query.set('chain', opened.chain ?? '')
    if (opened.handed === true) query.set('handed', 'true')
  }
  if (asked.type === 'nonce') {
    query.set('nonce', asked.nonce)
    if (asked.clock !== undefined) query.set('clock', String(asked.clock))
  }
  if (keys !== undefined) query.set('keys', keys)
  if (roles !== undefined) query.set('roles', roles)
  return query
}

const REFUSALS: Readonly<Record<number, FeedConnectionFaultCode>> = {
  401: 'feed_unauthorized',
  403: 'feed_forbidden',
  429: 'feed_throttled',
  503: 'feed_unreachable',
}

async function readText(response: Response): Promise<string> {
  if (!response.ok) {
    await response.body?.cancel()
    throw new FeedFault(REFUSALS[response.status] ?? 'feed_refused', {
      cause: `status ${response.status}`,
      retryAfterMs: readRetryAfter(response.headers.get('retry-after')),
    })
  }
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > FEED_MESSAGE_CHARS_MAX) throw new FeedFault('feed_malformed')
  }
  return text + decoder.decode()
}

/**
 * Reads seconds, as the authority writes them (RFC 9110 §10.2.3). A date is ignored, because the guard trusts
 * no clock.
 */
function readRetryAfter(value: string | null): number {
  return /^\d{1,6}$/.test(value ?? '') ? Number(value) * 1000 : 0
}

function parse(text: string): { messages?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
