import { codeOf, isStepUp } from './exchange.ts'
import type { BoundFetch, Client, Prepared } from './types.ts'

/** Creates the `fetch` of a client: it adds what the session needs, and repeats a call after a refresh or a step-up. */
export function createFetch(
  client: () => Pick<Client, 'prepare' | 'shouldRepeat'>,
  dpop?: BoundFetch,
): typeof globalThis.fetch {
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    // oxlint-disable-next-line no-base-to-string -- a Request has its URL
    const url = request?.url ?? String(input)
    const method = init?.method ?? request?.method ?? 'GET'

    const send = async (isLast: boolean): Promise<{ prepared: Prepared; answer: Response }> => {
      const prepared = await client().prepare(url, method)
      // A request can be sent once. Its copy is sent first, so that it can be sent again.
      const sent = isLast || !request ? input : request.clone()
      return { prepared, answer: await (dpop || fetch)(sent, withSession(prepared, request, init)) }
    }

    // Nobody can read a stream twice, so its call is not repeated.
    let isLast = isStream(init?.body)
    for (let isRepeat = false; ; isRepeat = true) {
      const { prepared, answer } = await send(isLast)
      if (isLast || (answer.status !== 401 && answer.status !== 403)) return answer
      const challenge = answer.headers.get('www-authenticate')
      const code = await codeOf(answer)
      // An expired token hides that the login is too old. So a step-up may follow a refresh, and nothing follows it.
      isLast = isStepUp(code, challenge)
      const mayRepeat = isLast || !isRepeat
      if (!mayRepeat || !(await client().shouldRepeat(prepared, answer.status, code, challenge))) {
        return answer
      }
      await answer.body?.cancel()
    }
  }
}

/** Adds the headers of the session. A header that the caller has set stays. */
function withSession(
  { isOurs, headers: added, withCookies }: Prepared,
  request: Request | undefined,
  init: RequestInit | undefined,
): RequestInit | undefined {
  if (!isOurs) return init
  const headers = new Headers(init?.headers ?? request?.headers)
  for (const [name, value] of Object.entries(added)) {
    if (!headers.has(name)) headers.set(name, value)
  }
  return { ...init, headers, ...(withCookies ? { credentials: 'include' } : {}) }
}

/** Whether a body can be read only once. Not every ReadableStream can be iterated. */
export function isStream(body: unknown): boolean {
  return Symbol.asyncIterator in Object(body) || 'getReader' in Object(body)
}
