import { limits } from '../base/limits.ts'
import { BreachedFault } from './breached-fault.ts'

/** The part of the hash that is sent. About a thousand known passwords share each value of it (k-anonymity). */
const PREFIX_CHARS = 5

/** The rest of a SHA-1, and how often the password was seen. */
const LINE = /^([\dA-F]{35}):(\d{1,15})$/i

/**
 * Asks a range service whether it knows a hash, and sends only the first five of its 40 digits. The answer lists
 * all known hashes that begin with them. Throws a `BreachedFault` if the answer is not such a list, and the error of
 * `fetch` if no answer comes.
 */
export async function isInRange(
  url: string,
  sha1Hex: string,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await fetch(`${url}${sha1Hex.slice(0, PREFIX_CHARS)}`, {
    headers: {
      accept: 'text/plain',
      'user-agent': 'Countersign',
      // Hides the true size of the answer, which would reveal the prefix to an observer of the network.
      'add-padding': 'true',
      // Look-ups are rare. A kept connection that the service has closed meanwhile would make one fail.
      connection: 'close',
    },
    // A redirect could lead to plain http or to a host inside the operator's network.
    redirect: 'manual',
    signal,
  })
  if (response.status >= 300 && response.status < 400) throw new BreachedFault('redirected')
  if (response.status !== 200) throw new BreachedFault('status', response.status)
  return isListed(await readText(response), sha1Hex.slice(PREFIX_CHARS))
}

/**
 * Whether an answer lists the rest of a hash. Lines with the count 0 are padding: their hashes are random. Throws a
 * `BreachedFault` if a line has another form, for example because a proxy answered with a page.
 */
export function isListed(answer: string, suffix: string): boolean {
  let isFound = false
  for (const line of answer.split(/\r?\n/)) {
    if (line === '') continue
    const [, listed, count] = LINE.exec(line) ?? []
    if (listed === undefined) throw new BreachedFault('malformed')
    if (listed.toUpperCase() === suffix && Number(count) > 0) isFound = true
  }
  return isFound
}

/** Counts bytes while it reads, after decompression: an answer may be endless, or a decompression bomb. */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > limits.breachedAnswerBytesMax) throw new BreachedFault('too_large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('latin1')
}
