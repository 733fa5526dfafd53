/** Adds what is known of the reason: a status, or a code of Node's such as ECONNREFUSED. */
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
