import { parseJson, readGuardMessage, type GuardMessage } from '@countersign/guard/revocations'

import { limits } from '../../base/limits.ts'
import type { FeedHub } from '../../revocations/hub.ts'
import { isLongText, parseLongJson } from '../../revocations/long-message.ts'
import type { FeedLink } from '../../revocations/subscriber.ts'
import type { FeedReader } from '../../sessions/feed-access.ts'
import { problem } from '../problem.ts'
import type { FeedAuthenticator } from './feed-authentication.ts'
import { guardName, readGuardId } from './guard-name.ts'

/** The path at which guards poll. `serve.ts` allows longer bodies on this path. */
export const POLL_PATH = '/revocations'

/** The services of the feed's handlers. */
export interface FeedServices {
  readonly hub: FeedHub
  readonly authenticate: FeedAuthenticator
}

/** The query of a poll, parsed. */
export interface Poll {
  /** The name that the guard chose. */
  readonly guard: string
  readonly resume: Extract<GuardMessage, { type: 'resume' }>
  readonly nonce: string | undefined
  /** The guard's clock, in milliseconds since 1970. */
  readonly clock: number | undefined
  /** The tags of the states of keys and roles that the guard has. */
  readonly knows: readonly string[]
  readonly waitMs: number
}

/**
 * `GET /revocations`: the feed for services that cannot hold a WebSocket. Each request acts as a connection.
 * It ends with the first new message, or after `wait` milliseconds. The answer has the same messages as the
 * WebSocket.
 */
export async function answerPoll(
  { hub }: FeedServices,
  reader: FeedReader,
  query: Poll,
  signal: AbortSignal,
): Promise<Response> {
  const link = new PollLink(reader.isAllowed)
  const subscriber = hub.connect(guardName(reader.clientId, query.guard), link, query.knows)
  try {
    await Promise.race([hub.take(subscriber, query.resume), link.full])
    if (!link.hasNews) await link.news(query.waitMs, signal)
    if (query.nonce !== undefined && !link.isFull) {
      const applied = query.resume.position ?? 0
      const { nonce, clock } = query
      await hub.take(subscriber, {
        type: 'nonce',
        nonce,
        applied,
        ...(clock === undefined ? {} : { clock }),
      })
      // The echo may include entries that were not sent yet. They must be in the same answer.
      await hub.tail.read()
    }
  } finally {
    hub.disconnect(subscriber)
  }
  return json(`{"messages":[${Buffer.concat(link.take()).toString()}]}`)
}

/** `POST /revocations`: the confirmations and handed-back entries of a guard that polls. */
export async function answerGuardMessages(
  { hub }: FeedServices,
  reader: FeedReader,
  request: Request,
): Promise<Response> {
  const text = await readText(request)
  if (text === undefined) {
    return problem('body_too_large', {}, { detail: `The body is larger than ${BODY_MIB_MAX} MiB.` })
  }
  const said = readSaid(
    await (isLongText(text) ? parseLongJson(text, BATCH_DEPTH) : parseJson(text)),
  )
  if (said === undefined) return problem('fields_invalid')
  const link = new PollLink(reader.isAllowed)
  const subscriber = hub.connect(guardName(reader.clientId, said.guard), link)
  try {
    // Replies are not read here. If the replies fill the link, this does not wait until the rest was
    // produced.
    for (const message of said.messages) {
      await Promise.race([hub.take(subscriber, message), link.full])
    }
  } finally {
    hub.disconnect(subscriber)
  }
  return new Response(null, { status: 204, headers: { 'cache-control': 'no-store' } })
}

/** Collects the messages that answer a poll. */
class PollLink implements FeedLink {
  readonly full: Promise<void>
  readonly isAllowed: () => boolean
  #parts: Buffer[] = []
  #bytes = 0
  #hasNews = false
  #wake: () => void = () => {}
  #setFull: () => void = () => {}

  constructor(isAllowed: () => boolean) {
    this.isAllowed = isAllowed
    this.full = new Promise((resolve) => {
      this.#setFull = resolve
    })
  }

  send(message: Buffer): void {
    this.#parts.push(message)
    this.#bytes += message.length
    this.#hasNews ||= !message.subarray(0, RESUMED.length).equals(RESUMED)
    if (this.#hasNews) this.#wake()
    if (this.isFull) this.#setFull()
  }

  end(): void {
    this.#wake()
    this.#setFull()
  }

  get heldBackBytes(): number {
    return this.isFull ? Infinity : 0
  }

  get isFull(): boolean {
    return this.#bytes > limits.feedPollBytesMax
  }

  get hasNews(): boolean {
    return this.#hasNews
  }

  /** Resolves with the first message, after `waitMs`, or when the client has disconnected. */
  async news(waitMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      signal.addEventListener('abort', this.#wake, { once: true })
    })
  }

  /** Returns the messages, separated by commas. */
  take(): Buffer[] {
    return this.#parts.flatMap((part, index) => (index === 0 ? [part] : [COMMA, part]))
  }
}

/** The largest number of messages in one body. A guard sends two or three at once. */
const SAID_MAX = 16
const RESUMED = Buffer.from('{"type":"resumed"')
const COMMA = Buffer.from(',')

const BODY_MIB_MAX = limits.feedMessageBytesMax / 2 ** 20
/** The depth of a batch in a body: in the lists of batches and of messages, in the objects of both. */
const BATCH_DEPTH = 5

/** Returns undefined for a body that is too long. The rest of it is then not read. */
async function readText(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get('content-length')) > limits.feedMessageBytesMax) return undefined
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > limits.feedMessageBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The unchecked members of such a body. */
interface Said {
  readonly guard?: unknown
  readonly messages?: unknown
}

function readSaid(
  parsed: unknown,
): { readonly guard: string; readonly messages: readonly GuardMessage[] } | undefined {
  const value = parsed as Said | null | undefined
  if (typeof value !== 'object' || value === null || !Array.isArray(value.messages)) {
    return undefined
  }
  const guard = typeof value.guard === 'string' ? readGuardId(value.guard) : undefined
  const messages = value.messages.map((each) => readGuardMessage(each))
  // `resume` belongs in the query of a poll.
  const isFine = (message: GuardMessage | undefined): message is GuardMessage =>
    message !== undefined && message.type !== 'resume'
  return guard !== undefined && messages.length <= SAID_MAX && messages.every(isFine)
    ? { guard, messages }
    : undefined
}

function json(text: string): Response {
  return new Response(text, {
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}
