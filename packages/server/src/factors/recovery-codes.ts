import { createHmac, createSecretKey } from 'node:crypto'

import { lettersOf, newLetterCode } from '../base/letters.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'

/** Four groups of four letters: 69 random bits (NIST SP 800-63B-4 §3.1.2 asks for 64 without a slow hash). */
const GROUPS = 4

/** The purpose of the keys that {@link createRecoveryHasher} takes. */
export const RECOVERY_KEYS = 'recovery-codes/v1'

/** Hashes recovery codes for the store. */
export interface RecoveryHasher {
  /** Hashes under the first key, for a new code. */
  hash(accountId: string, code: string): Uint8Array
  /** Hashes what a person typed under every key. Undefined if it is no code. */
  candidates(accountId: string, code: string): readonly Uint8Array[] | undefined
}

/** Makes new recovery codes. They are shown once. */
export function newRecoveryCodes(random: Random): readonly string[] {
  return Array.from({ length: limits.recoveryCodes }, () => newLetterCode(random, GROUPS))
}

/** Creates the hasher. `keys` derive from the secrets of the server, the current one first. */
export function createRecoveryHasher(keys: readonly Uint8Array[]): RecoveryHasher {
  const macKeys = keys.map((key) => createSecretKey(key))
  const [first] = macKeys
  if (first === undefined) throw new TypeError('Recovery codes need a key.')
  const mac = (key: typeof first, accountId: string, letters: string): Uint8Array =>
    new Uint8Array(
      createHmac('sha256', key)
        .update(JSON.stringify([accountId, letters]))
        .digest(),
    )
  return {
    hash: (accountId, code) => mac(first, accountId, lettersOf(code)),
    candidates: (accountId, code) => {
      const letters = lettersOf(code)
      return letters.length === 4 * GROUPS
        ? macKeys.map((key) => mac(key, accountId, letters))
        : undefined
    },
  }
}
