import { isChain, type WireBatch } from './batch.ts'
import { isPosition } from './entry.ts'

/** What a guard says. Over a WebSocket each message is one text frame of JSON. */
export type GuardMessage =
  /**
   * The first one: what the guard holds, or nothing yet. `handed`: it has just handed back what it holds,
   * and asks for the log as it is now.
   */
  | {
      readonly type: 'resume'
      readonly position?: number
      readonly chain?: string
      readonly handed?: boolean
    }
  /** Asks for an echo, and tells how far the guard has come. */
  | { readonly type: 'nonce'; readonly nonce: string; readonly applied: number }
  /** The answer to `confirm`, when the guard has come so far. */
  | { readonly type: 'applied'; readonly position: number }
  /** Signed batches that the authority does not seem to know. */
  | { readonly type: 'evidence'; readonly batches: readonly WireBatch[] }

/** What an authority says. */
export type AuthorityMessage =
  /** The guard's pair is known: the entries after it follow. */
  | { readonly type: 'resumed'; readonly retain_ms: number }
  /**
   * The guard begins anew after `floor`: what came before, no living token can be older than. Entries up to
   * `position` follow, and `proof`, an empty batch, shows that the authority was there.
   */
  | {
      readonly type: 'snapshot'
      readonly floor: number
      readonly chain: string
      readonly position: number
      readonly retain_ms: number
      readonly proof: WireBatch
    }
  /** The guard's pair is not known: it holds what this log has lost, or another log. */
  | { readonly type: 'unknown' }
  | ({ readonly type: 'batch' } & WireBatch)
  /**
   * The published keys (RFC 7517 §5) and the `kid`s of all that were ever killed. `tag` names this state:
   * who polls says which one it has.
   */
  | {
      readonly type: 'keys'
      readonly jwks: unknown
      readonly killed: readonly string[]
      readonly tag: string
    }
  /** What each role may do. */
  | {
      readonly type: 'roles'
      readonly roles: Readonly<Record<string, readonly string[]>>
      readonly tag: string
    }
  /** A head that was read from the primary database after the nonce had arrived. */
  | {
      readonly type: 'echo'
      readonly nonce: string
      readonly position: number
      readonly chain: string
    }
  /** Somebody waits for this position to be in force: answer `applied`. */
  | { readonly type: 'confirm'; readonly position: number }

/** Reads a message of an authority; undefined for what is none, or of a type that is not known. */
export function parseAuthorityMessage(text: string): AuthorityMessage | undefined {
  return readAuthorityMessage(parseJson(text))
}

/** The same for what was parsed already. */
export function readAuthorityMessage(value: unknown): AuthorityMessage | undefined {
  return isObject(value) && isAuthorityMessage(value) ? value : undefined
}

/** Reads a message of a guard; undefined for what is none. */
export function parseGuardMessage(text: string): GuardMessage | undefined {
  return readGuardMessage(parseJson(text))
}

/** The same for what was parsed already. */
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
      return isObject(value['jwks']) && isTextList(value['killed']) && isText(value['tag'])
    case 'roles':
      return (
        isObject(value['roles']) &&
        Object.values(value['roles']).every(isTextList) &&
        isText(value['tag'])
      )
    case 'echo':
      return isText(value['nonce']) && isPosition(value['position']) && isChain(value['chain'])
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
      return isNonce(value['nonce']) && isPosition(value['applied'])
    case 'applied':
      return isPosition(value['position'])
    case 'evidence':
      return Array.isArray(value['batches']) && value['batches'].every(isWireBatch)
    default:
      return false
  }
}

/** The shape alone: entries are looked at once the signature is known to be right. */
function isWireBatch(value: unknown): value is WireBatch {
  return (
    isObject(value) &&
    isText(value['head']) &&
    isChain(value['mac']) &&
    Array.isArray(value['entries'])
  )
}

/** Whether a value can be a nonce: up to 64 characters of base64url. */
export function isNonce(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{16,64}$/.test(value)
}

/**
 * The value of a text of JSON, undefined for what is none. Depth is looked at before anything is made of it: of 32
 * million brackets JSON.parse makes more than a gigabyte.
 */
export function parseJson(text: string): unknown {
  if (!isShallow(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** No message is nested deeper. */
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

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}
