import {
  isChain,
  isNonce,
  parseJson,
  readGuardMessage,
  type GuardMessage,
} from '@countersign/guard/revocations'

import { limits } from '../../base/limits.ts'
import type { FeedHub } from '../../revocations/hub.ts'
import type { FeedLink } from '../../revocations/subscriber.ts'
import type { Caller, Refusal } from '../../sessions/services.ts'
import { problem } from '../problem.ts'
import { BASIC_CHALLENGE, type FeedAuthenticator } from './feed-client.ts'
import { guardName, readGuardId } from './guard-name.ts'

/** Where guards poll. */
export const POLL_PATH = '/revocations'

/** What the handlers of long polling work with. */
export interface FeedServices {
  readonly hub: FeedHub
  readonly authenticate: FeedAuthenticator
}

/**
 * `GET /revocations`: the feed for whoever can hold no WebSocket. Each request is a connection that ends
 * with the first news, or after `wait` milliseconds. The answer's messages are those of the WebSocket.
 */
export async function answerPoll(
  { hub, authenticate }: FeedServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const query = readQuery(new URL(request.url).searchParams)
  if (query === undefined) return problem('fields_invalid')
  const client = await authenticate(request.headers.get('authorization'), caller)
  if (!client.ok) return refuse(client)

  const link = new PollLink(client.isAllowed)
  const subscriber = hub.connect(guardName(client.clientId, query.guard), link, query.knows)
  try {
    await Promise.race([hub.take(subscriber, query.resume), link.full])
    if (!link.hasNews) await link.news(query.waitMs, request.signal)
    if (query.nonce !== undefined && !link.isFull) {
      const applied = query.resume.position ?? 0
      await hub.take(subscriber, { type: 'nonce', nonce: query.nonce, applied })
      // An echo may be ahead of what was sent: what it speaks of goes along.
      await hub.tail.read()
    }
  } finally {
    hub.disconnect(subscriber)
  }
  return json(`{"messages":[${Buffer.concat(link.take()).toString()}]}`)
}

/** `POST /revocations`: what a guard that polls has to say beside its question. */
export async function answerGuardMessages(
  { hub, authenticate }: FeedServices,
  request: Request,
  caller: Caller,
): Promise<Response> {
  const client = await authenticate(request.headers.get('authorization'), caller)
  if (!client.ok) return refuse(client)
  const said = readSaid(await readText(request))
  if (said === undefined) return problem('fields_invalid')
  const link = new PollLink(client.isAllowed)
  const subscriber = hub.connect(guardName(client.clientId, said.guard), link)
  try {
    // What comes back is not read here; and where it would fill the link, nobody waits for it.
    for (const message of said.messages)
      await Promise.race([hub.take(subscriber, message), link.full])
  } finally {
    hub.disconnect(subscriber)
  }
  return new Response(null, { status: 204, headers: { 'cache-control': 'no-store' } })
}

/** Collects what a poll is answered with. */
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

  /** Resolves with the first news, after a time, or when nobody waits any more. */
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

  /** The messages, with commas between. */
  take(): Buffer[] {
    return this.#parts.flatMap((part, index) => (index === 0 ? [part] : [COMMA, part]))
  }
}

const SAID_MAX = 16
const RESUMED = Buffer.from('{"type":"resumed"')
const COMMA = Buffer.from(',')

interface Poll {
  readonly guard: string
  readonly resume: Extract<GuardMessage, { type: 'resume' }>
  readonly nonce: string | undefined
  /** Names of the states of keys and roles that the guard has. */
  readonly knows: readonly string[]
  readonly waitMs: number
}

function readQuery(query: URLSearchParams): Poll | undefined {
  const guard = readGuardId(query.get('guard'))
  const position = readWhole(query.get('after'))
  const chain = query.get('chain') ?? undefined
  const nonce = query.get('nonce') ?? undefined
  const waitMs = readWhole(query.get('wait') ?? '0')
  if (guard === undefined || position === 'malformed' || waitMs === 'malformed') return undefined
  if ((position === undefined) !== (chain === undefined)) return undefined
  if ((chain !== undefined && !isChain(chain)) || (nonce !== undefined && !isNonce(nonce))) {
    return undefined
  }
  return {
    guard,
    resume:
      position === undefined || chain === undefined
        ? { type: 'resume' }
        : { type: 'resume', position, chain, handed: query.get('handed') === 'true' },
    nonce,
    knows: ['keys', 'roles'].flatMap((name) => query.get(name) ?? []),
    waitMs: Math.min(waitMs ?? 0, limits.feedPollMs),
  }
}

function readWhole(text: string | null): number | undefined | 'malformed' {
  if (text === null) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  return Number.isSafeInteger(value) ? value : 'malformed'
}

async function readText(request: Request): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > limits.feedMessageBytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** What such a body is to be. */
interface Said {
  readonly guard?: unknown
  readonly messages?: unknown
}

function readSaid(
  text: string | undefined,
): { readonly guard: string; readonly messages: readonly GuardMessage[] } | undefined {
  const value = (text === undefined ? undefined : parseJson(text)) as Said | null | undefined
  if (typeof value !== 'object' || value === null || !Array.isArray(value.messages)) {
    return undefined
  }
  const guard = typeof value.guard === 'string' ? readGuardId(value.guard) : undefined
  const messages = value.messages.map((each) => readGuardMessage(each))
  // To say what one holds is for the question itself, and a guard has two or three things to say.
  const isFine = (message: GuardMessage | undefined): message is GuardMessage =>
    message !== undefined && message.type !== 'resume'
  return guard !== undefined && messages.length <= SAID_MAX && messages.every(isFine)
    ? { guard, messages }
    : undefined
}

function refuse({ code, retryAfterSec }: Refusal): Response {
  const challenge = code === 'client_invalid' ? BASIC_CHALLENGE : {}
  return problem(code, {
    ...challenge,
    ...(retryAfterSec === undefined ? {} : { 'retry-after': String(retryAfterSec) }),
  })
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
