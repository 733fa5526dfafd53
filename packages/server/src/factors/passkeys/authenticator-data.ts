import { createHash, timingSafeEqual } from 'node:crypto'

/** The first 37 bytes of the authenticator data (WebAuthn Level 3 §6.1): they always have this shape. */
export interface AuthenticatorData {
  readonly rpIdHash: Uint8Array
  readonly isUserPresent: boolean
  readonly isUserVerified: boolean
  readonly isBackupEligible: boolean
  readonly isBackedUp: boolean
  readonly signCount: number
}

/** Why the authenticator data were refused. */
export type AuthenticatorDataReason =
  | 'wrong_rp_id'
  | 'user_not_present'
  | 'user_not_verified'
  | 'backup_flags_invalid'

const HEAD_BYTES = 37

/** Reads the authenticator data. Returns undefined if they are too short. */
export function readAuthenticatorData(bytes: Uint8Array): AuthenticatorData | undefined {
  if (bytes.byteLength < HEAD_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint8(32)
  return {
    rpIdHash: bytes.subarray(0, 32),
    isUserPresent: (flags & 0x01) !== 0,
    isUserVerified: (flags & 0x04) !== 0,
    isBackupEligible: (flags & 0x08) !== 0,
    isBackedUp: (flags & 0x10) !== 0,
    signCount: view.getUint32(33),
  }
}

/**
 * Checks what both ceremonies require of the authenticator (§7.1 steps 14 to 19, §7.2 steps 16 to 21). Returns
 * undefined if it holds. A credential that was backed up must be one that can be (§6.1.3).
 */
export function checkAuthenticatorData(
  data: AuthenticatorData,
  rpId: string,
): AuthenticatorDataReason | undefined {
  const expected = createHash('sha256').update(rpId).digest()
  if (!timingSafeEqual(data.rpIdHash, expected)) return 'wrong_rp_id'
  if (!data.isUserPresent) return 'user_not_present'
  if (!data.isUserVerified) return 'user_not_verified'
  if (data.isBackedUp && !data.isBackupEligible) return 'backup_flags_invalid'
  return undefined
}
