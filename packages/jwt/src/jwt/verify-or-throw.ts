import { refusals, type JwtRefusalCode, type Refused } from '../refusals.ts'
import type { AcceptedToken, Verifier } from './verify.ts'

/** A refused token as an exception. Its message is the text of the refusal's code. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError'
  readonly code: JwtRefusalCode
  /** The name of the claim, for `claim_missing` and `claim_invalid`. Never its value. */
  readonly claim: string | undefined

  constructor({ code, claim }: Refused) {
    super(refusals[code])
    this.code = code
    this.claim = claim
  }
}

/**
 * Verifies a token and throws a `TokenRefusedError` if it is refused. A throw costs thirty times as much as a
 * returned refusal, and the sender of tokens chooses how often it happens. Use `verifier.verify` for tokens
 * that anybody can send.
 */
export function verifyOrThrow<Claims>(
  verifier: Verifier<Claims>,
  token: string,
): AcceptedToken<Claims> {
  const result = verifier.verify(token)
  if (!result.ok) throw new TokenRefusedError(result)
  return result
}
