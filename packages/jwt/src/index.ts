export type { Algorithm, MlDsaAlgorithm } from './algorithms.ts'
export { decodeBase64url, encodeBase64url } from './base64url.ts'
export { parseJsonStrict, type JsonLimits, type JsonResult } from './json/strict.ts'
export {
  createKeySet,
  keySetFromJwks,
  readJwks,
  type JwksReading,
  type KeySet,
  type SkippedKey,
} from './jwk/key-set.ts'
export { publicJwkOf } from './jwk/public.ts'
export type { PublicJwk } from './jwk/public-jwk.ts'
export { jwkThumbprint } from './jwk/thumbprint.ts'
export type { JwsHeader } from './jws/header.ts'
export { signJws, type SignJwsOptions } from './jws/sign.ts'
export { verifyJws, type VerifyJwsOptions, type VerifyJwsResult } from './jws/verify.ts'
export type { JwtClaims } from './jwt/claims.ts'
export { decodeUnverified, type DecodeResult } from './jwt/decode-unverified.ts'
export { explainToken, type CheckReport, type TokenCheck } from './jwt/explain.ts'
export { createSigner, type Signer } from './jwt/sign.ts'
export {
  createVerifier,
  type AcceptedToken,
  type Verifier,
  type VerifyResult,
} from './jwt/verify.ts'
export type { VerifierOptions } from './jwt/verifier-options.ts'
export type { AskedClaims, JwtHeader } from './jwt/types.ts'
export { TokenRefusedError, verifyOrThrow } from './jwt/verify-or-throw.ts'
export { generateSigningKey } from './key/generate.ts'
export {
  importSigningKey,
  importVerifyingKey,
  type ImportOptions,
  type KeyInput,
} from './key/import.ts'
export { verifyingKeyOf, type SigningKey, type VerifyingKey } from './key/key.ts'
export { refusals, type JwtRefusalCode, type Refused } from './refusals.ts'
