import type { KeySet } from '../jwk/key-set.ts'
import { findDots } from '../jws/compact.ts'
import { encodeHeader, parseHeader } from '../jws/header.ts'
import { assertKeys, selectKey } from '../jws/select-key.ts'
import { normalizeTyp } from '../jws/typ.ts'
import { parseEncodedObject } from '../json/encoded-object.ts'
import { verifyingMaterialOf, type VerifyingKey, type VerifyToken } from '../key/key.ts'
import { refuse, type Refused } from '../refusals.ts'
import { cacheVerify } from './cached-verify.ts'
import { checkClaims, type JwtClaims } from './claims.ts'
import type { AskedClaims, JwtHeader, NoOthers } from './types.ts'
import { readVerifierOptions, type VerifierOptions } from './verifier-options.ts'

/**
 * An accepted token. Without a cache it is a new object each time. With a cache it is the same object each
 * time, and its claims are deeply frozen.
 */
export interface AcceptedToken<Claims> {
  readonly ok: true
  /** Never set. Without `strict`, TypeScript does not know that `result.code` belongs to refusals. */
  readonly code?: undefined
  readonly claims: Claims
  readonly header: JwtHeader
  readonly key: VerifyingKey
  /**
   * A number for the caller's own use, `undefined` at first. With a cache it stays with the token while the
   * token is remembered. A caller that compares tokens with a log stores here the log state that it compared
   * with, and compares again when the log has changed. All users of one verifier must give the mark the same
   * meaning.
   */
  mark?: number | undefined
}

/** The claims of an accepted token, or a refusal. */
export type VerifyResult<Claims> = AcceptedToken<Claims> | Refused

/**
 * Verifies tokens of one kind. `Claims` is the type that the issuer promises. Only `JwtClaims` is checked.
 */
export interface Verifier<Claims = JwtClaims> {
  verify(token: string): VerifyResult<Claims>
}

/**
 * Makes a verifier. Throws a `TypeError` for options that would accept everything or nothing. Its `verify`
 * never throws because of a token. It checks size and shape, header, key, signature, payload and claims, in
 * this order. So the answer to a forged token reveals nothing about its claims.
 *
 * The type of the claims follows from the options: required claims are not optional. You can also name a type
 * that the issuer promises: `createVerifier<MyClaims>({ ... })`.
 */
export function createVerifier<const Options extends VerifierOptions>(
  options: Options & NoOthers<Options, VerifierOptions>,
): Verifier<AskedClaims<Options>>
export function createVerifier<Claims>(options: VerifierOptions): Verifier<Claims>
export function createVerifier(options: VerifierOptions): Verifier {
  const { keys, typ, policy, readNow, cacheEntriesMax } = readVerifierOptions(options)
  const known = assertKeys(keys).slice(0, KNOWN_HEADERS_MAX).map(knownHeaderOf, options.typ)

  function verify(token: string): VerifyResult<JwtClaims> {
    const dots = findDots(token)
    if (!dots.ok) return dots
    const { headerEnd, payloadEnd } = dots

    const encoded = token.slice(0, headerEnd)
    const accepted = findKnown(known, encoded) ?? readHeader(encoded, typ, keys)
    if (!accepted.ok) return accepted
    if (!accepted.verify(token, payloadEnd)) return refuse('signature_invalid')

    // A valid signature proves that the token is ASCII, which `parseEncodedObject` relies on.
    const claims = parseEncodedObject(token.slice(headerEnd + 1, payloadEnd))
    if (claims === undefined) return refuse('payload_invalid')
    const refused = checkClaims(claims, policy, readNow())
    if (refused !== undefined) return refused
    // checkClaims has proved JwtClaims. The caller must know the issuer to name a narrower type.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return { ok: true, claims: claims as JwtClaims, header: accepted.header, key: accepted.key }
  }
  if (cacheEntriesMax === 0) return Object.freeze({ verify })
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

// With more keys than this, parsing the header is faster than comparing it with each of them.
const KNOWN_HEADERS_MAX = 4

// Our signer always writes the same header for the same key. A token with exactly that header has the right
// alg, kid and typ and no crit, without parsing. Every other spelling is parsed strictly.
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
  // selectKey has proved alg, and the comparison above has proved that typ is present.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { ok: true, header: header as JwtHeader, key, verify: verifyingMaterialOf(key).verify }
}
