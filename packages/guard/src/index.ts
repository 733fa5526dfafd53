export {
  type AccessTokenCheck,
  type AccessTokenClaims,
  type AccessTokenReport,
  type AccessTokenResult,
  type AccessTokenVerifier,
  type AccessTokenVerifierOptions,
  createAccessTokenVerifier,
  explainAccessToken,
} from './verification/access-token.ts'
export { type BearerReading, readBearer, readDpopToken } from './request/bearer.ts'
export { type Challenge, type ChallengeDetails, challengeFor } from './request/challenge.ts'
export { accessCookieName, type CookieReading, readCookie } from './request/cookies.ts'
export {
  checkCsrfToken,
  checkOrigin,
  type CsrfCheck,
  csrfHash,
  isOrigin,
  isSafeMethod,
  type RequestSource,
} from './request/csrf.ts'
export { combineGuards } from './combine.ts'
export type { CookieOptions, DpopOptions, FeedSettings, GuardOptions } from './guard-options.ts'
export {
  createGuard,
  type Guard,
  type GuardMetrics,
  type RouteGuard,
  type VerifyOptions,
  type VerifyResult,
} from './guard.ts'
export { JwksFault, type JwksFaultCode } from './keys/jwks-fetch.ts'
export {
  closeWithSession,
  type LiveSession,
  type LiveSessionOptions,
  watchToken,
} from './live-session.ts'
export { metricsText } from './metrics-text.ts'
export { hostKindOf, type HostKind, isSecureEnough } from './plain-http.ts'
export type { FreshnessPolicy } from './verification/policy.ts'
export { type GuardRefusalCode, type Refused, refusals } from './refusals.ts'
export {
  checkCookieClaims,
  type CookieRule,
  readRequestToken,
  type TokenReading,
} from './request/request-token.ts'
export {
  type NodeRequest,
  type RequestView,
  viewOfNode,
  viewOfRequest,
} from './request/request-view.ts'
export type { Requirements, TenantRequirement } from './verification/requirements.ts'
export { type ResourceMetadata, resourceMetadata } from './request/resource-metadata.ts'
export { FeedFault, type FeedConnectionFaultCode } from './revocations/feed-fault.ts'
export type { FeedLine } from './revocations/socket.ts'
export { sharedSecretKey } from './keys/shared-secret.ts'
export { type Authentication, createAuthenticator } from './adapters/web.ts'
