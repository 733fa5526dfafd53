import { createCipheriv, createDecipheriv, hkdfSync, timingSafeEqual } from 'node:crypto'

import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'

const VERSION = 1
const SECRET_ID_BYTES = 8
const IV_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + SECRET_ID_BYTES + IV_BYTES + TAG_BYTES

/** Seals values that the store must not hold in plain text. The first secret seals, and all secrets open. */
export interface Sealer {
  /** `context` names the sealed value. Only the same context opens it again. */
  seal(plain: Uint8Array, context: string): Buffer
  /** Returns undefined if no secret opens the value: another secret sealed it, or it was changed. */
  open(sealed: Uint8Array, context: string): Buffer | undefined
  /** Whether the first secret sealed the value. */
  isCurrent(sealed: Uint8Array): boolean
  /** Derives a key for another purpose from the first secret. */
  derive(purpose: string, bytes: number): Buffer
  /**
   * Derives that key from every secret, in their order, so that values made with an older secret are still
   * recognised.
   */
  deriveEach(purpose: string, bytes: number): readonly Buffer[]
}

/**
 * Creates a sealer that uses AES-256-GCM with a random 96-bit IV. HKDF-SHA256 (RFC 5869) derives one key from
 * each secret. The context is authenticated, so a sealed value cannot be moved to another row. Layout:
 * version, 8 bytes that identify the secret, IV, tag, ciphertext.
 */
export function createSealer(secrets: readonly string[], random: Random): Sealer {
  if (secrets.some((secret) => secret.length < limits.secretCharsMin)) {
    throw new TypeError(`A secret needs at least ${limits.secretCharsMin} characters`)
  }
  const keys = secrets.map(deriveKeys)
  const [first] = keys
  if (first === undefined) throw new TypeError('createSealer needs at least one secret')

  return {
    seal(plain, context) {
      const iv = random.bytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', first.key, iv)
      cipher.setAAD(Buffer.from(context))
      const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(VERSION), first.id, iv, cipher.getAuthTag(), ciphertext])
    },

    open(sealed, context) {
      const bytes = Buffer.from(sealed)
      if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION) return undefined
      const id = bytes.subarray(1, 1 + SECRET_ID_BYTES)
      const match = keys.find((each) => timingSafeEqual(each.id, id))
      return match === undefined ? undefined : decrypt(match.key, bytes, context)
    },

    isCurrent(sealed) {
      const id = Buffer.from(sealed).subarray(1, 1 + SECRET_ID_BYTES)
      return id.length === SECRET_ID_BYTES && timingSafeEqual(first.id, id)
    },

    derive: (purpose, bytes) => deriveBytes(secrets[0] ?? '', purpose, bytes),
    deriveEach: (purpose, bytes) => secrets.map((secret) => deriveBytes(secret, purpose, bytes)),
  }
}

function decrypt(key: Buffer, bytes: Buffer, context: string): Buffer | undefined {
  const ivAt = 1 + SECRET_ID_BYTES
  const tagAt = ivAt + IV_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(ivAt, tagAt), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(bytes.subarray(tagAt, HEAD_BYTES))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES)), decipher.final()])
  } catch {
    return undefined // The tag does not match, so `node:crypto` has thrown.
  }
}

function deriveKeys(secret: string): { id: Buffer; key: Buffer } {
  return {
    id: deriveBytes(secret, 'sealing/v1/id', SECRET_ID_BYTES),
    key: deriveBytes(secret, 'sealing/v1/key', 32),
  }
}

function deriveBytes(secret: string, purpose: string, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `countersign/${purpose}`, length))
}
