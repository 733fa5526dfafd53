import { isIP } from 'node:net'

/** The headers in which a proxy can name its client. */
export const FORWARDED_HEADERS = ['x-forwarded-for', 'forwarded'] as const

/** The header in which the proxies name their clients, in lower case. */
export type ForwardedHeader = (typeof FORWARDED_HEADERS)[number]

/**
 * Returns the hops that a forwarding header names, in its order. A hop is an IP address, or an empty text if
 * the header hides it or cannot be read.
 */
export function parseHops(header: ForwardedHeader, value: string): string[] {
  return header === 'forwarded'
    ? splitOutsideQuotes(value, ',').map(parseElement)
    : value.split(',').map((hop) => parseNode(hop.trim()))
}

/** Reads the `for` of an element of `Forwarded` (RFC 7239 §4): `for="[2001:db8::1]:443";proto=https`. */
function parseElement(element: string): string {
  const found = splitOutsideQuotes(element, ';').flatMap((pair) => {
    const match = /^\s*for=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))\s*$/i.exec(pair)
    return match === null ? [] : [(match[1] ?? match[2] ?? '').replace(/\\(.)/g, '$1')]
  })
  const [node = '', second] = found
  return second === undefined ? parseNode(node) : ''
}

/**
 * Returns the address of a hop without its port, which Azure and AWS can be told to write: `203.0.113.7:5123`,
 * `[2001:db8::1]:443`, `[2001:db8::1]`. Returns an empty text for `unknown` and made-up names.
 */
export function parseNode(node: string): string {
  const bracketed = /^\[([^\]]+)\](?::\w+)?$/.exec(node)?.[1]
  const withPort = /^([\d.]+):\w+$/.exec(node)?.[1]
  const address = bracketed ?? withPort ?? node
  return isIP(address) === 0 ? '' : address
}

/**
 * Splits a list, and keeps separators in quoted texts. A quote that is not closed makes one last part, which no
 * caller can read.
 */
function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = []
  let part = ''
  let isQuoted = false
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (char === '"') isQuoted = !isQuoted
    if (char === separator && !isQuoted) {
      parts.push(part)
      part = ''
      continue
    }
    part += char
    if (char === '\\' && isQuoted) {
      at += 1
      part += text.charAt(at)
    }
  }
  return [...parts, part]
}
