import { hash } from 'node:crypto'

/** What an entry revokes. The last three kinds report a change that no token names. */
export const REVOCATION_KINDS = [
  'issuer',
  'tenant',
  'client',
  'account',
  'session',
  'token',
  'key',
  'keyset',
  'role',
  'jump',
] as const

/**
 * The kind of an entry. `key`: a key was revoked. `keyset`: the published keys have changed. `role`: the
 * permissions of a role have changed. `jump`: the log had lost entries and moved its head forward.
 */
export type RevocationKind = (typeof REVOCATION_KINDS)[number]

/** One entry of the revocation log, as it is sent. */
export interface RevocationEntry {
  /** 1, 2, 3, ... without gaps, except before a `jump`. */
  readonly position: number
  readonly kind: RevocationKind
  /** The identifier for the kind: the `iss`, `tid`, `client_id`, `sub`, `sid`, `jti`, `kid`, or a name. */
  readonly subject: string
  /** `hard`: the session has ended. `soft`: the token is out of date, and a refresh returns a valid token. */
  readonly strength: 'hard' | 'soft'
  /** Milliseconds since 1970 on the authority's clock. For people. No decision depends on it. */
  readonly at: number
}

/**
 * A position of the log and the chain value there. Two logs that agree on both agree on all earlier entries.
 */
export interface LogHead {
  readonly position: number
  /** 32 bytes. */
  readonly chain: Uint8Array
}

/**
 * Whether two chain values are the same. `own` is undefined if a log does not know the chain value of a
 * position. It then differs from every other value.
 */
export function isSameChain(own: Uint8Array | undefined, other: Uint8Array): boolean {
  return own !== undefined && Buffer.compare(own, other) === 0
}

/**
 * How far a `jump` moves the log forward. No store loses so many entries. A larger jump needs an operator.
 */
export const JUMP_POSITIONS = 1_000_000

/**
 * Computes the chain value of an entry: SHA-256 over the previous chain value and the entry. Two logs that
 * agree on a position and its chain value agree on everything up to there. So a store that lost its last
 * writes is recognised even if its position looks right. The length of each text precedes the text. Otherwise
 * two entries that split the same characters differently could have the same hash.
 */
export function chainValue(previous: Uint8Array, entry: RevocationEntry): Buffer {
  const kind = Buffer.byteLength(entry.kind)
  const subject = Buffer.byteLength(entry.subject)
  const bytes = Buffer.allocUnsafe(previous.length + NUMBERS_BYTES + kind + subject)
  let at = previous.length
  bytes.set(previous)
  at = bytes.writeBigUInt64BE(BigInt(entry.position), at)
  at = bytes.writeBigUInt64BE(BigInt(entry.at), at)
  at = bytes.writeUInt8(entry.strength === 'hard' ? 1 : 0, at)
  at = bytes.writeUInt32BE(kind, at)
  at = bytes.writeUInt32BE(subject, at)
  at += bytes.write(entry.kind, at)
  bytes.write(entry.subject, at)
  return hash('sha256', bytes, 'buffer')
}

const NUMBERS_BYTES = 25

/** Whether an entry may follow a position: it is the next one, or a jump within its limit. */
export function follows(entry: RevocationEntry, position: number): boolean {
  const step = entry.position - position
  return step === 1 || (entry.kind === 'jump' && step > 1 && step <= JUMP_POSITIONS)
}

const KINDS: ReadonlySet<unknown> = new Set(REVOCATION_KINDS)
const SUBJECT_CHARS_MAX = 512

/**
 * Whether a received value is an entry. Entries of unknown kinds are refused, because the guard could not
 * apply them.
 */
export function isEntry(
  value: Readonly<Record<keyof RevocationEntry, unknown>>,
): value is RevocationEntry {
  const { position, kind, subject, strength, at } = value
  return (
    isPosition(position) &&
    position > 0 &&
    KINDS.has(kind) &&
    typeof subject === 'string' &&
    subject.length <= SUBJECT_CHARS_MAX &&
    (strength === 'hard' || strength === 'soft') &&
    isPosition(at)
  )
}

/** Whether a value can be a position: a safe integer of at least 0. */
export function isPosition(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
