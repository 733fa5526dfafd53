export {
  type AccessTokenClaims,
  type AccessTokenResult,
  type AccessTokenVerifier,
  type AccessTokenVerifierOptions,
  createAccessTokenVerifier,
} from './access-token.ts'
export { type BearerReading, readBearer } from './bearer.ts'
export { type Challenge, challengeFor } from './challenge.ts'
export type { GuardOptions } from './guard-options.ts'
export { createGuard, type Guard, type VerifyResult } from './guard.ts'
export { JwksFault, type JwksFaultCode } from './jwks-fetch.ts'
export { type RefusalCode, type Refused, refusals } from './refusals.ts'
