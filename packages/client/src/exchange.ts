import { ClientError } from './error.ts'
import type { BoundFetch } from './types.ts'

// A request that hangs must not hold the lock of all tabs for longer.
const ANSWER_MS_MAX = 15_000

/** The members of a JSON answer. */
export type Members = Readonly<Record<string, unknown>>

/** Asks the authority and returns the members of its JSON answer. Rejects with a {@link ClientError} otherwise. */
export async function exchange(
  url: string,
  init: RequestInit,
  send: BoundFetch = fetch,
): Promise<Members> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), ANSWER_MS_MAX)
  try {
    return await readAnswer(await send(url, { ...init, cache: 'no-store', signal: limit.signal }))
  } catch (cause) {
    if (cause instanceof ClientError) throw cause
    throw new ClientError(undefined, { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** Returns the members of an answer of the authority. Rejects with a {@link ClientError} if it is a refusal. */
export async function readAnswer(answer: Response): Promise<Members> {
  // Captive portals and proxies answer with a page of their own, which says nothing about the session.
  const noJson = answer.status === 204 ? {} : undefined
  const members = (await answer.json().catch(() => noJson)) as Members | undefined
  if (answer.ok && members) return members
  const { code, detail } = members ?? {}
  throw new ClientError(textOf(code), {
    status: answer.ok ? undefined : answer.status,
    message: textOf(detail),
    // The other form of the header is a date, which a wrong clock would misread.
    retryAfterMs: Number(answer.headers.get('retry-after')) * 1000 || undefined,
    members,
  })
}

/** Returns the options of a request with a JSON body. */
export function jsonPost(body: object, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
}

/** Returns the code of a problem document, without using up the answer. */
export async function codeOf(answer: Response): Promise<string | undefined> {
  if (!answer.headers.get('content-type')?.includes('json')) return undefined
  try {
    return textOf(((await answer.clone().json()) as { code?: unknown }).code)
  } catch {
    return undefined
  }
}

/** Whether a refusal demands a fresher or stronger login (RFC 9470 §3). Not every API has the code of our guard. */
export function isStepUp(code?: string, challenge?: string | null): boolean {
  return /insufficient_user_authentication/.test(`${code} ${challenge}`)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
