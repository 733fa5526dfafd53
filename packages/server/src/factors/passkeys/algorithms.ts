/**
 * The COSE algorithms that passkeys may use, in the order of our preference: ES256, EdDSA with Ed25519, RS256.
 * docs/decisions/0018-passkeys.md says why these three and no other.
 */
export const PASSKEY_ALGORITHMS: readonly number[] = [-7, -8, -257]
