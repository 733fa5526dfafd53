import { isAscii } from '../base64url.ts'
import { findDots, type CompactDots } from '../jws/compact.ts'
import { parseHeader } from '../jws/header.ts'
import { selectKey } from '../jws/select-key.ts'
import { normalizeTyp } from '../jws/typ.ts'
import { parseEncodedObject } from '../json/encoded-object.ts'
import { verifyingMaterialOf } from '../key/key.ts'
import { refuse, type Refused } from '../refusals.ts'
import { CLAIM_CHECKS, type ClaimCheck } from './claims.ts'
import {
  readVerifierOptions,
  type VerifierOptions,
  type VerifierSettings,
} from './verifier-options.ts'

/** A check of the verifier, in the order in which the verifier runs them. */
export type TokenCheck = 'form' | 'header' | 'typ' | 'key' | 'signature' | 'payload' | ClaimCheck

/** The result of one check. */
export interface CheckReport {
  readonly check: TokenCheck
  /** Why the check refuses the token, or `undefined` when the token passes it. */
  readonly refused: Refused | undefined
}

/**
 * Runs the checks of a verifier with these options and reports each of them. The verifier stops at the first
 * failure. This function continues as far as the token can be read. It leaves out a check that cannot run,
 * such as the signature of a token with an unknown key. The first failed check is the refusal that `verify`
 * returns.
 *
 * For tools that show a person everything that is wrong with a token. Never use it to accept a token, because
 * the claims may be forged. Throws a `TypeError` for invalid options, never because of the token.
 */
export function explainToken(token: string, options: VerifierOptions): readonly CheckReport[] {
  const settings = readVerifierOptions(options)
  const dots = findDots(token)
  if (!dots.ok) return [report('form', dots)]
  return [
    report('form'),
    ...explainHeader(token, dots, settings),
    ...explainPayload(token.slice(dots.headerEnd + 1, dots.payloadEnd), settings),
  ]
}

function explainHeader(
  token: string,
  { headerEnd, payloadEnd }: CompactDots,
  { keys, typ }: VerifierSettings,
): CheckReport[] {
  const parsed = parseHeader(token.slice(0, headerEnd))
  if (!parsed.ok) return [report('header', parsed)]
  const { header } = parsed
  const isOfTyp = normalizeTyp(header.typ) === typ
  const reports = [report('header'), report('typ', isOfTyp ? undefined : refuse('typ_mismatch'))]
  const selected = selectKey(keys, header)
  if (!selected.ok) return [...reports, report('key', selected)]
  const isSigned = verifyingMaterialOf(selected.key).verify(token, payloadEnd)
  const refused = isSigned ? undefined : refuse('signature_invalid')
  return [...reports, report('key'), report('signature', refused)]
}

function explainPayload(encoded: string, { policy, readNow }: VerifierSettings): CheckReport[] {
  const claims = isAscii(encoded) ? parseEncodedObject(encoded) : undefined
  if (claims === undefined) return [report('payload', refuse('payload_invalid'))]
  const now = readNow()
  return [
    report('payload'),
    ...CLAIM_CHECKS.map(({ name, check }) => report(name, check(claims, policy, now))),
  ]
}

function report(check: TokenCheck, refused?: Refused): CheckReport {
  return { check, refused }
}
