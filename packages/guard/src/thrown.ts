/**
 * What a function of the application threw, as an error. Express and Fastify take what is falsy for none, and
 * Express the text `route` for an order: the request would go on.
 */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error('A function given to the guard threw what is no error.', { cause: thrown })
}
