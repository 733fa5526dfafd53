import { refusals, type JwtRefusalCode, type Refused } from '../refusals.ts'
import type { AcceptedToken, Verifier } from './verify.ts'

/** A refused token as an exception: its message is the text of the table of refusals. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError'
  readonly code: JwtRefusalCode
  /** The claim, for `claim_missing` and `claim_invalid`: a name, never a value. */
  readonly claim: string | undefined

  constructor({ code, claim }: Refused) {
    super(refusals[code])
    this.code = code
    this.claim = claim
  }
}

/**
 * Verifies a token and throws a `TokenRefusedError` when it is refused. A throw costs thirty times
 * a returned refusal, and whoever sends tokens chooses how often; where that is anybody, use
 * `verifier.verify`.
 */
export function verifyOrThrow<Claims>(
  verifier: Verifier<Claims>,
  token: string,
): AcceptedToken<Claims> {
  const result = verifier.verify(token)
  if (!result.ok) throw new TokenRefusedError(result)
  return result
}
