/** The parts of a request that a guard reads, in any framework. */
export interface RequestView {
  /** The method in upper case, such as `GET`. */
  readonly method: string
  /**
   * Returns the values of all header lines with this name, which must be in lower case. Returns an empty list
   * if there is no such line. Lines that earlier code has joined are one value.
   */
  values(name: string): readonly string[]
  /**
   * The target of the request: its path with the query, or its URL. Only requests with the scheme `DPoP` need it.
   * Undefined if it is not known.
   */
  readonly target?: string | undefined
  /** The request that this is a view of. */
  readonly original?: unknown
}

/** The part of a Node request (HTTP/1 and HTTP/2) that a view reads. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** The URL before a router removed its own path: Express and Fastify keep it here. */
  readonly originalUrl?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly rawHeaders: readonly string[]
}

/**
 * Makes the view of a Node request. For Express, pass its request. For Fastify, pass `request.raw`, and
 * Fastify's request as `original`.
 */
export function viewOfNode(request: NodeRequest, original: unknown = request): RequestView {
  return new NodeView(request, original)
}

/** A class, so that no function is created for each request. */
class NodeView implements RequestView {
  readonly #request: NodeRequest
  readonly original: unknown

  constructor(request: NodeRequest, original: unknown) {
    this.#request = request
    this.original = original
  }

  get method(): string {
    return this.#request.method ?? ''
  }

  get target(): string | undefined {
    return this.#request.originalUrl ?? this.#request.url
  }

  values(name: string): readonly string[] {
    return nodeValues(this.#request, name)
  }
}

/** Makes the view of a web-standard `Request`. */
export function viewOfRequest(
  request: Pick<Request, 'method' | 'headers'> & { readonly url?: string },
  original: unknown = request,
): RequestView {
  const { method, headers } = request
  return {
    method,
    original,
    // Some servers build the URL when it is read, and few requests need it.
    get target() {
      return request.url
    },
    // Headers joins several values with ", " (Fetch §2.2.2). On Node it joins those of Cookie with "; ". No
    // token, origin or word that we compare with contains a comma. So two values are refused here too.
    values(name) {
      const value = headers.get(name)
      return value === null ? [] : [value]
    },
  }
}

/**
 * Node keeps the first of several Authorization headers in `headers` and silently drops the others. So lines
 * are counted in `rawHeaders`. The value comes from `headers`, where earlier middleware may have set or
 * removed it: all code in the process must see the same value.
 */
function nodeValues({ headers, rawHeaders }: NodeRequest, name: string): readonly string[] {
  // Inherited values are ignored. Code that could write to Object.prototype would otherwise decide where a
  // request came from.
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined
  if (value === undefined) return []
  if (typeof value !== 'string') return value
  // Several Cookie lines are normal in HTTP/2, and Node has joined them with "; ".
  return name !== 'cookie' && isRepeated(rawHeaders, name) ? [value, value] : [value]
}

// `rawHeaders` alternates names and values. `headersDistinct` would build an object of all headers.
function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i]
    if (candidate?.length === name.length && equalsIgnoringCase(candidate, name)) count += 1
  }
  return count > 1
}

// `toLowerCase` would create a string for each request. Header names are ASCII (RFC 9110 §5.1). `lower` is in
// lower case and has the same length.
function equalsIgnoringCase(candidate: string, lower: string): boolean {
  for (let at = 0; at < lower.length; at++) {
    const code = candidate.charCodeAt(at)
    const isUpper = code >= 65 && code <= 90
    if ((isUpper ? code + 32 : code) !== lower.charCodeAt(at)) return false
  }
  return true
}
