/**
 * Returns the values of all cookies with a name, as they were sent. Two of them are an attack or a mistake, and nobody
 * may choose one. The cookies of Next.js would show only the last.
 */
export function cookiesNamed(header: string | null, name: string): readonly string[] {
  return pairsOf(header).flatMap((pair) => (nameOf(pair) === name ? [valueOf(pair)] : []))
}

/** Returns the value of a cookie that was sent exactly once. */
export function readCookie(header: string | null, name: string): string | undefined {
  const [value, second] = cookiesNamed(header, name)
  return second === undefined ? value : undefined
}

/** A Set-Cookie line, and what it does. */
export interface SetCookie {
  readonly line: string
  readonly name: string
  /** Undefined if the line removes the cookie. */
  readonly value: string | undefined
}

/** Reads a Set-Cookie line of the authority. */
export function parseSetCookie(line: string): SetCookie {
  const [pair = '', ...attributes] = line.split(';')
  const isRemoval = attributes.some((each) => /^\s*max-age\s*=\s*0\s*$/i.test(each))
  return { line, name: nameOf(pair), value: isRemoval ? undefined : valueOf(pair) }
}

/** Returns the Cookie header that the browser would send after an answer with these lines. Other cookies stay. */
export function applySetCookies(header: string | null, changes: readonly SetCookie[]): string {
  const changed = new Set(changes.map(({ name }) => name))
  const kept = pairsOf(header).filter((pair) => !changed.has(nameOf(pair)))
  const added = changes.flatMap(({ name, value }) =>
    value === undefined ? [] : [`${name}=${value}`],
  )
  return [...kept, ...added].join('; ')
}

function pairsOf(header: string | null): string[] {
  return (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
}

function nameOf(pair: string): string {
  return pair.slice(0, Math.max(0, pair.indexOf('='))).trim()
}

function valueOf(pair: string): string {
  return pair.slice(pair.indexOf('=') + 1).trim()
}
