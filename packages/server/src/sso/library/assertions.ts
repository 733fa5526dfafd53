import { errors } from 'oidc-provider'

/** The longest life of an assertion with which an application authenticates. */
const ASSERTION_SEC_MAX = 300

/**
 * Checks an assertion of `private_key_jwt` more strictly than the library: the issuer is its only audience (RFC 7523bis
 * §4), and it lives for a short time. With another audience, a server could use it at a second one.
 */
export function checkAssertion(issuer: string, claims: object): void {
  const { aud, exp } = claims as { readonly aud?: unknown; readonly exp?: unknown }
  if (aud !== issuer) throw new errors.InvalidClientAuth('The only audience must be the issuer.')
  if (typeof exp !== 'number' || exp > Date.now() / 1000 + ASSERTION_SEC_MAX + 15) {
    throw new errors.InvalidClientAuth('The assertion must expire within five minutes.')
  }
}
