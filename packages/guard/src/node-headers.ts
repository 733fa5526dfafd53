/** The part of a Node request (HTTP/1 and HTTP/2) that holds its headers. */
export interface NodeHeaders {
  readonly headers: { readonly authorization?: string | undefined }
  readonly rawHeaders: readonly string[]
}

/**
 * Gives the values of all Authorization headers of a Node request.
 *
 * Node keeps the first of several in `headers` and drops the rest without a word, so they are counted
 * in `rawHeaders`. The value comes from `headers`, where middleware before us may have set or removed
 * it: everybody in the process must see the same one.
 */
export function authorizationOf(request: NodeHeaders): readonly string[] {
  const value = request.headers.authorization
  if (value === undefined) return []
  return isRepeated(request.rawHeaders) ? [value, value] : [value]
}

const NAME = 'authorization'

// `rawHeaders` alternates names and values. `headersDistinct` would build an object of all headers.
function isRepeated(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === NAME.length && name.toLowerCase() === NAME) count += 1
  }
  return count > 1
}
