/**
 * Converts a thrown value to an Error. Express and Fastify treat a falsy error as success. Express also
 * treats the text `route` as an instruction to skip handlers. In each of these cases the request would pass.
 */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error('A function given to the guard threw a value that is not an Error.', {
        cause: thrown,
      })
}

/**
 * Appends the reason of a fault to its text, if it is known: an HTTP status, or a Node code such as
 * ECONNREFUSED.
 */
export function withReason(text: string, cause: unknown): string {
  const reason = reasonOf(cause)
  return reason === undefined ? text : `${text.replace(/\.$/, '')} (${reason}).`
}

function reasonOf(cause: unknown): string | undefined {
  if (typeof cause === 'string') return cause
  if (!(cause instanceof Error)) return undefined
  if ('code' in cause && typeof cause.code === 'string') return cause.code
  return reasonOf(cause.cause)
}
