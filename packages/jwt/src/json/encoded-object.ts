import { isCanonicalSpelling } from '../base64url.ts'
import { TOKEN_BYTES_MAX } from '../limits.ts'
import { isObject, withoutInherited } from './object.ts'
import { parseJsonStrict } from './strict.ts'

const buffer = Buffer.alloc(TOKEN_BYTES_MAX)
const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The JSON object that canonical base64url text encodes as UTF-8, or `undefined` for anything else:
 * another spelling, invalid UTF-8, a byte order mark, an array, a duplicate member (RFC 7519 §7.2).
 * `text` is ASCII, which the caller has proved, and at most one token long.
 */
export function parseEncodedObject(text: string): Record<string, unknown> | undefined {
  if (text.length > TOKEN_BYTES_MAX) return undefined
  const byteCount = buffer.write(text, 'base64url')
  if (!isCanonicalSpelling(text, byteCount)) return undefined

  const json = buffer.toString('utf8', 0, byteCount)
  // Node writes U+FFFD for invalid UTF-8. A payload may also hold that character honestly, so only
  // its presence costs the slower decoder that tells the two apart.
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
