export {
  type AccessTokenClaims,
  type AccessTokenResult,
  type AccessTokenVerifier,
  type AccessTokenVerifierOptions,
  createAccessTokenVerifier,
} from './access-token.ts'
export { type BearerReading, readBearer } from './bearer.ts'
export { type Challenge, challengeFor } from './challenge.ts'
export { accessCookieName, type CookieReading, readCookie } from './cookies.ts'
export {
  checkCsrfToken,
  checkOrigin,
  type CsrfCheck,
  csrfHash,
  isOrigin,
  isSafeMethod,
  type RequestSource,
} from './csrf.ts'
export type { CookieOptions, GuardOptions } from './guard-options.ts'
export { createGuard, type Guard, type VerifyResult } from './guard.ts'
export { JwksFault, type JwksFaultCode } from './jwks-fetch.ts'
export { type RefusalCode, type Refused, refusals } from './refusals.ts'
export {
  checkCookieClaims,
  type CookieRule,
  readRequestToken,
  type TokenReading,
} from './request-token.ts'
export { type NodeRequest, type RequestView, viewOfNode, viewOfRequest } from './request-view.ts'
