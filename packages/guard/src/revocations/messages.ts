import { isChain, type WireBatch } from './batch.ts'
import { isPosition } from './entry.ts'

/** The messages of a guard. On a WebSocket each message is one text frame of JSON. */
export type GuardMessage =
  /**
   * The first message: the head of the guard's copy, or no head yet. `handed`: the guard has just returned
   * its batches to the authority, and asks for the current log.
   */
  | {
      readonly type: 'resume'
      readonly position?: number
      readonly chain?: string
      readonly handed?: boolean
    }
  /**
   * Asks for an echo, and reports how far the guard's copy goes. `clock` is the guard's clock, in milliseconds
   * since 1970. Older guards do not send it.
   */
  | {
      readonly type: 'nonce'
      readonly nonce: string
      readonly applied: number
      readonly clock?: number
    }
  /** The answer to `confirm`, when the guard's copy has reached the position. */
  | { readonly type: 'applied'; readonly position: number }
  /** Signed batches that the authority does not seem to have. */
  | { readonly type: 'evidence'; readonly batches: readonly WireBatch[] }
  /** The last message: the guard has dropped its lease and accepts no more tokens. */
  | { readonly type: 'bye' }

/** The messages of an authority. */
export type AuthorityMessage =
  /** The authority knows the guard's head. The entries after it follow. */
  | { readonly type: 'resumed'; readonly retain_ms: number }
  /**
   * The guard starts again after `floor`; no live token predates the entries before it. The entries up to
   * `position` follow. `proof`, an empty batch, proves that the authority's log includes `floor`.
   */
  | {
      readonly type: 'snapshot'
      readonly floor: number
      readonly chain: string
      readonly position: number
      readonly retain_ms: number
      readonly proof: WireBatch
    }
  /**
   * The authority does not know the guard's head: the guard has entries that this log has lost, or a copy of
   * another log.
   */
  | { readonly type: 'unknown' }
  | ({ readonly type: 'batch' } & WireBatch)
  /**
   * The published keys (RFC 7517 §5) and the `kid`s of all keys that were ever revoked. `pending` are the
   * `kid`s of published keys that do not sign yet; older authorities do not send them. `tag` identifies this
   * state. A polling guard sends the tag that it has.
   */
  | {
      readonly type: 'keys'
      readonly jwks: unknown
      readonly killed: readonly string[]
      readonly pending?: readonly string[]
      readonly tag: string
    }
  /** The permissions of each role. */
  | {
      readonly type: 'roles'
      readonly roles: Readonly<Record<string, readonly string[]>>
      readonly tag: string
    }
  /**
   * A head that was read from the primary database after the nonce arrived. `at` is the authority's clock at
   * that moment, in milliseconds since 1970. `ask_ms` is how often this guard should ask. Older authorities
   * send neither.
   */
  | {
      readonly type: 'echo'
      readonly nonce: string
      readonly position: number
      readonly chain: string
      readonly at?: number
      readonly ask_ms?: number
    }
  /** A caller waits until this position is in force. The guard answers `applied`. */
  | { readonly type: 'confirm'; readonly position: number }

/**
 * Reads a message of an authority. Returns undefined for text that is not a message, or for an unknown type.
 */
export function parseAuthorityMessage(text: string): AuthorityMessage | undefined {
  return readAuthorityMessage(parseJson(text))
}

/** Reads a message of an authority that was already parsed as JSON. */
export function readAuthorityMessage(value: unknown): AuthorityMessage | undefined {
  return isObject(value) && isAuthorityMessage(value) ? value : undefined
}

/** Reads a message of a guard. Returns undefined for text that is not a message. */
export function parseGuardMessage(text: string): GuardMessage | undefined {
  return readGuardMessage(parseJson(text))
}

/** Reads a message of a guard that was already parsed as JSON. */
export function readGuardMessage(value: unknown): GuardMessage | undefined {
  return isObject(value) && isGuardMessage(value) ? value : undefined
}

type Fields = Readonly<Record<string, unknown>>

function isAuthorityMessage(value: Fields): value is Fields & AuthorityMessage {
  switch (value['type']) {
    case 'resumed':
      return isPosition(value['retain_ms'])
    case 'snapshot':
      return (
        isPosition(value['floor']) &&
        isPosition(value['position']) &&
        value['position'] >= value['floor'] &&
        isChain(value['chain']) &&
        isPosition(value['retain_ms']) &&
        isWireBatch(value['proof'])
      )
    case 'unknown':
      return true
    case 'batch':
      return isWireBatch(value)
    case 'keys':
      return (
        isObject(value['jwks']) &&
        isTextList(value['killed']) &&
        isOptional(value['pending'], isTextList) &&
        isText(value['tag'])
      )
    case 'roles':
      return (
        isObject(value['roles']) &&
        Object.values(value['roles']).every(isTextList) &&
        isText(value['tag'])
      )
    case 'echo':
      return (
        isText(value['nonce']) &&
        isPosition(value['position']) &&
        isChain(value['chain']) &&
        isOptional(value['at'], isPosition) &&
        isOptional(value['ask_ms'], isPosition)
      )
    case 'confirm':
      return isPosition(value['position'])
    default:
      return false
  }
}

function isGuardMessage(value: Fields): value is Fields & GuardMessage {
  switch (value['type']) {
    case 'resume':
      return (
        (value['handed'] === undefined || typeof value['handed'] === 'boolean') &&
        (value['position'] === undefined
          ? value['chain'] === undefined
          : isPosition(value['position']) && isChain(value['chain']))
      )
    case 'nonce':
      return (
        isNonce(value['nonce']) &&
        isPosition(value['applied']) &&
        isOptional(value['clock'], isPosition)
      )
    case 'applied':
      return isPosition(value['position'])
    case 'evidence':
      return Array.isArray(value['batches']) && value['batches'].every(isWireBatch)
    case 'bye':
      return true
    default:
      return false
  }
}

/** Checks only the shape. The entries are checked after the signature. */
function isWireBatch(value: unknown): value is WireBatch {
  return (
    isObject(value) &&
    isText(value['head']) &&
    isChain(value['mac']) &&
    Array.isArray(value['entries'])
  )
}

/** Whether a value can be a nonce: 16 to 64 characters of base64url. */
export function isNonce(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{16,64}$/.test(value)
}

/**
 * Parses JSON. Returns undefined for text that is not JSON. The depth is checked before parsing: for 32
 * million brackets JSON.parse allocates more than a gigabyte.
 */
export function parseJson(text: string): unknown {
  if (!isShallow(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The deepest nesting of any message. */
const DEPTH_MAX = 10

function isShallow(text: string): boolean {
  let depth = 0
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) isInString = !isInString
    else if (isInString) at += unit === BACKSLASH ? 1 : 0
    else if (unit === BRACKET || unit === BRACE) {
      depth += 1
      if (depth > DEPTH_MAX) return false
    } else if (unit === BRACKET_END || unit === BRACE_END) depth -= 1
  }
  return true
}

const [QUOTE, BACKSLASH, BRACKET, BRACKET_END, BRACE, BRACE_END] = Buffer.from('"\\[]{}')

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOptional(value: unknown, holds: (value: unknown) => boolean): boolean {
  return value === undefined || holds(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}
