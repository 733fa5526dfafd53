import type { CustomFetch } from 'openid-client'

/** The most that a provider may answer: discovery documents, keys and tokens are far smaller. */
const ANSWER_BYTES_MAX = 512 * 1024

/**
 * As `fetch`, but with a limit for the answer. Providers are set up by the operator, and can be taken over like any
 * other server.
 */
export const boundedFetch: CustomFetch = async (url, { body, ...init }) => {
  const response = await fetch(url, body === undefined ? init : { ...init, body })
  if (response.body === null) return response
  let bytes = 0
  const limited = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        if (bytes > ANSWER_BYTES_MAX) controller.error(new Error('The answer is too long.'))
        else controller.enqueue(chunk)
      },
    }),
  )
  const { status, statusText, headers } = response
  return new Response(limited, { status, statusText, headers })
}
