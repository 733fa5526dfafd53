import type { Algorithm } from '../algorithms.ts'
import type { JwsHeader } from '../jws/header.ts'
import type { JwtClaims } from './claims.ts'

/** The header of a token that a verifier accepted. */
export interface JwtHeader extends JwsHeader {
  /** The key's own algorithm, or the name that RFC 9864 replaced. */
  readonly alg: Algorithm | 'EdDSA'
  /** As the token spells it. It is the same media type as the verifier's. */
  readonly typ: string
}

/** The part of a verifier's options that decides which claims must be present. */
interface Asking {
  readonly requiredClaims?: readonly string[]
  readonly audience: string | readonly string[] | null
  readonly maxAgeSec?: number
}

/**
 * The claims that a verifier with these options returns: required claims are present and not null. If the
 * type of the options is less precise than their value, such as `string[]` for names, this type promises
 * less.
 */
export type AskedClaims<Options extends Asking> = JwtClaims & {
  readonly [Name in RequiredNames<Options> | ImpliedNames<Options>]: NonNullable<JwtClaims[Name]>
}

/**
 * Turns every member that `Known` does not have into a compile error. TypeScript looks for misspelled members
 * only in object literals. A misspelled `maxAgeSec` would be a check that never happens.
 */
export type NoOthers<Options, Known> = {
  readonly [Name in Exclude<keyof Options, keyof Known>]: never
}

type RequiredNames<Options> = Options extends {
  readonly requiredClaims: readonly (infer Name extends string)[]
}
  ? string extends Name
    ? never
    : Name
  : never

type ImpliedNames<Options> =
  | (Options extends { readonly audience: string | readonly string[] } ? 'aud' : never)
  | (Options extends { readonly maxAgeSec: number } ? 'iat' : never)
