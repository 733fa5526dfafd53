import { isCanonicalSpelling } from '../base64url.ts'
import { TOKEN_BYTES_MAX } from '../limits.ts'
import { isObject, withoutInherited } from './object.ts'
import { parseJsonStrict } from './strict.ts'

const buffer = Buffer.alloc(TOKEN_BYTES_MAX)
const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Returns the JSON object that a canonical base64url text encodes as UTF-8. Returns `undefined` for anything
 * else: another spelling, invalid UTF-8, a byte order mark, an array, a duplicate member (RFC 7519 §7.2). The
 * caller must have proved that `text` is ASCII. It may be as long as one token.
 */
export function parseEncodedObject(text: string): Record<string, unknown> | undefined {
  if (text.length > TOKEN_BYTES_MAX) return undefined
  const byteCount = buffer.write(text, 'base64url')
  if (!isCanonicalSpelling(text, byteCount)) return undefined

  const json = buffer.toString('utf8', 0, byteCount)
  // Node replaces invalid UTF-8 with U+FFFD. A valid payload may also contain that character. The slower
  // decoder tells the two apart, so it runs only if the character is present.
  if (json.includes('\uFFFD') && !isValidUtf8(buffer.subarray(0, byteCount))) return undefined

  const result = parseJsonStrict(json)
  return result.ok && isObject(result.value) ? withoutInherited(result.value) : undefined
}

function isValidUtf8(bytes: Uint8Array): boolean {
  try {
    fatal.decode(bytes)
    return true
  } catch {
    return false
  }
}
