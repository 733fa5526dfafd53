/**
 * Returns the authentication methods (`amr`, RFC 8176 §2) of a passkey that was just used. Pure.
 *
 * - `hwk`, proof of possession of a hardware-secured key: a passkey that cannot be backed up stays on its device. No
 *   attestation proves that the device protects it, so this is what the authenticator says about itself.
 * - `swk`, proof of possession of a software-secured key: a passkey that may be backed up leaves its device, through
 *   the account of its provider. So its key is only as safe as that account.
 * - `user`, a test that the person was present: the flag UP, which every accepted assertion has.
 * - `mfa`, several factors: the key, and the PIN or the biometric that unlocked it. That is the flag UV, which every
 *   accepted assertion has. The authenticator does not say which of both it was, so neither `pin` nor `fpt` is true.
 */
export function passkeyAmr(credential: { readonly isBackupEligible: boolean }): string[] {
  return [credential.isBackupEligible ? 'swk' : 'hwk', 'user', 'mfa']
}
