import { createKeySet, type KeySet } from '../jwk/key-set.ts'
import { findDots } from '../jws/compact.ts'
import { encodeHeader, parseHeader } from '../jws/header.ts'
import { assertKeys, selectKey } from '../jws/select-key.ts'
import { assertTyp, normalizeTyp } from '../jws/typ.ts'
import { parseEncodedObject } from '../json/encoded-object.ts'
import { verifyingMaterialOf, type VerifyingKey, type VerifyToken } from '../key/key.ts'
import { TOLERANCE_SEC_MAX } from '../limits.ts'
import { refuse, type Refused } from '../refusals.ts'
import { cacheVerify } from './cached-verify.ts'
import { checkClaims, type ClaimsPolicy, type JwtClaims } from './claims.ts'
import { CACHE_ENTRIES_MAX, WAYS } from './token-cache.ts'
import type { AskedClaims, JwtHeader, NoOthers } from './types.ts'

/** What a verifier accepts. Nothing here has a permissive default. */
export interface VerifierOptions {
  /** One key, or a set from which the header's `kid` selects; read once, at creation. */
  readonly keys: VerifyingKey | KeySet
  /** The kind of token: `at+jwt` also matches `application/at+jwt`, in any case (RFC 7515 §4.1.9). */
  readonly typ: string
  /** The exact `iss`. */
  readonly issuer: string
  /** One of these must be in `aud`. `null`: tokens of this kind have none, and one that has is refused. */
  readonly audience: string | readonly string[] | null
  /** Claims that must be there and not null, besides `exp`, `iss` and `aud`. */
  readonly requiredClaims?: readonly string[]
  /** Longest time since `iat`, in seconds; makes `iat` required. */
  readonly maxAgeSec?: number
  /** How far clocks may differ, in seconds: 0 (default) to 60. For `exp`, `nbf`, `iat`, `maxAgeSec`. */
  readonly toleranceSec?: number
  /** The time, in milliseconds since 1970; `Date.now` when not given. */
  readonly clock?: () => number
  /**
   * How many verified tokens are remembered, so that the next sight of one costs a look-up: 8 to
   * 1,048,576, rounded down to eight times a power of two; 0 (default) for none. Times are checked
   * at every sight. About 1 kB an entry for access tokens, at most 8 KiB with its claims on top.
   */
  readonly cacheEntriesMax?: number
}

/** An accepted token. A fresh object each time; with a cache the same one, deeply frozen. */
export interface AcceptedToken<Claims> {
  readonly ok: true
  readonly claims: Claims
  readonly header: JwtHeader
  readonly key: VerifyingKey
  /**
   * The caller's own number, `undefined` at first. With a cache it stays with the token for as long
   * as that is remembered: whoever checks tokens against a log writes here up to where, and checks
   * again when the log is elsewhere. One verifier, one meaning of the mark.
   */
  mark?: number | undefined
}

/** The claims of an accepted token, or a refusal. */
export type VerifyResult<Claims> = AcceptedToken<Claims> | Refused

/** Verifies tokens of one kind. `Claims` is what the issuer promises; only `JwtClaims` is checked. */
export interface Verifier<Claims = JwtClaims> {
  verify(token: string): VerifyResult<Claims>
}

/**
 * Makes a verifier. Throws a `TypeError` for options that would let everything or nothing pass; its
 * `verify` never throws because of a token. Checked in this order, so that a forged token learns
 * nothing about its claims: size and shape, header, key, signature, payload, claims.
 *
 * The type of the claims follows from the options: what they demand is not optional. Or name a type
 * that the issuer promises, `createVerifier<MyClaims>({ ... })`.
 */
export function createVerifier<const Options extends VerifierOptions>(
  options: Options & NoOthers<Options, VerifierOptions>,
): Verifier<AskedClaims<Options>>
export function createVerifier<Claims>(options: VerifierOptions): Verifier<Claims>
export function createVerifier(options: VerifierOptions): Verifier {
  const keys = readKeys(options.keys)
  const typ = assertTyp(options.typ)
  const known = assertKeys(keys).slice(0, KNOWN_HEADERS_MAX).map(knownHeaderOf, options.typ)
  const policy = readPolicy(options)
  const clock = options.clock ?? Date.now
  const cacheEntriesMax = readCacheSize(options)

  function verify(token: string): VerifyResult<JwtClaims> {
    const dots = findDots(token)
    if (!dots.ok) return dots
    const { headerEnd, payloadEnd } = dots

    const encoded = token.slice(0, headerEnd)
    const accepted = findKnown(known, encoded) ?? readHeader(encoded, typ, keys)
    if (!accepted.ok) return accepted
    if (!accepted.verify(token, payloadEnd)) return refuse('signature_invalid')

    // Only ASCII has a right signature.
    const claims = parseEncodedObject(token.slice(headerEnd + 1, payloadEnd))
    if (claims === undefined) return refuse('payload_invalid')
    const refused = checkClaims(claims, policy, readClock(clock))
    if (refused !== undefined) return refused
    // checkClaims has proved JwtClaims; anything narrower is what the caller knows of the issuer.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return { ok: true, claims: claims as JwtClaims, header: accepted.header, key: accepted.key }
  }
  if (cacheEntriesMax === 0) return Object.freeze({ verify })
  const readNow = () => readClock(clock)
  return Object.freeze({ verify: cacheVerify(verify, policy, readNow, cacheEntriesMax) })
}

interface AcceptedHeader {
  readonly ok: true
  readonly header: JwtHeader
  readonly key: VerifyingKey
  readonly verify: VerifyToken
}

interface KnownHeader extends AcceptedHeader {
  /** The encoded header, as our own signer writes it. */
  readonly encoded: string
}

// Beyond a few keys, parsing the header is faster than comparing it with each of them.
const KNOWN_HEADERS_MAX = 4

// The same key always writes the same header. Finding it in a token proves alg, kid,
// typ and the absence of crit without parsing; any other spelling takes the strict path.
function knownHeaderOf(this: string, key: VerifyingKey): KnownHeader {
  const { alg, kid } = key
  return {
    ok: true,
    encoded: encodeHeader(alg, this, kid),
    header: Object.freeze({ alg, typ: this, ...(kid === undefined ? undefined : { kid }) }),
    key,
    verify: verifyingMaterialOf(key).verify,
  }
}

function findKnown(known: readonly KnownHeader[], encoded: string): AcceptedHeader | undefined {
  for (const candidate of known) if (candidate.encoded === encoded) return candidate
  return undefined
}

function readHeader(
  encoded: string,
  typ: string,
  keys: VerifyingKey | KeySet,
): AcceptedHeader | Refused {
  const parsed = parseHeader(encoded)
  if (!parsed.ok) return parsed
  const { header } = parsed
  if (normalizeTyp(header.typ) !== typ) return refuse('typ_mismatch')
  const selected = selectKey(keys, header)
  if (!selected.ok) return selected
  const { key } = selected
  // selectKey has proved alg, and the comparison above that typ is there.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { ok: true, header: header as JwtHeader, key, verify: verifyingMaterialOf(key).verify }
}

// A set of somebody else's making is copied: its keys, once compared, stay those that were checked.
function readKeys(keys: VerifyingKey | KeySet): VerifyingKey | KeySet {
  const checked = assertKeys(keys)
  return 'keys' in keys ? createKeySet(checked) : keys
}

// NaN compares as false with everything, and a token would then never expire.
function readClock(clock: () => number): number {
  const now = clock()
  if (!Number.isFinite(now)) throw new TypeError('The clock must give milliseconds since 1970.')
  return now
}

function readCacheSize({ cacheEntriesMax = 0 }: VerifierOptions): number {
  const isSize = Number.isInteger(cacheEntriesMax) && cacheEntriesMax <= CACHE_ENTRIES_MAX
  if (!isSize || (cacheEntriesMax !== 0 && cacheEntriesMax < WAYS)) {
    throw new TypeError(`The option cacheEntriesMax must be 0 or ${WAYS} to ${CACHE_ENTRIES_MAX}.`)
  }
  return cacheEntriesMax
}

function readPolicy(options: VerifierOptions): ClaimsPolicy {
  const { issuer, audience, requiredClaims = [], maxAgeSec, toleranceSec = 0 } = options
  if (typeof issuer !== 'string' || issuer === '') {
    throw new TypeError('The option issuer must be a string that is not empty.')
  }
  if (!Array.isArray(requiredClaims) || !requiredClaims.every(isText)) {
    throw new TypeError('The option requiredClaims must be an array of names.')
  }
  if (maxAgeSec !== undefined && !(Number.isFinite(maxAgeSec) && maxAgeSec > 0)) {
    throw new TypeError('The option maxAgeSec must be a positive number.')
  }
  if (!(Number.isFinite(toleranceSec) && toleranceSec >= 0 && toleranceSec <= TOLERANCE_SEC_MAX)) {
    throw new TypeError(`The option toleranceSec must be 0 to ${TOLERANCE_SEC_MAX}.`)
  }
  if (options.clock !== undefined && typeof options.clock !== 'function') {
    throw new TypeError('The option clock must be a function.')
  }
  return {
    issuer,
    audiences: readAudiences(audience),
    requiredClaims: [...requiredClaims],
    maxAgeMs: maxAgeSec === undefined ? undefined : maxAgeSec * 1000,
    toleranceMs: toleranceSec * 1000,
  }
}

function readAudiences(audience: VerifierOptions['audience']): ReadonlySet<string> | null {
  if (audience === null) return null
  const audiences = typeof audience === 'string' ? [audience] : audience
  if (!Array.isArray(audiences) || audiences.length === 0 || !audiences.every(isText)) {
    throw new TypeError('The option audience must be null, a string or an array of strings.')
  }
  return new Set(audiences)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
