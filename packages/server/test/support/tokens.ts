import { createHmac, createPrivateKey } from 'node:crypto'

import { createSystemRandom } from '../../src/base/random.ts'
import { createSealer } from '../../src/keys/sealing.ts'
import type { KeyUse } from '../../src/store/rows.ts'
import { queryOne } from './database.ts'
import { claimsOf } from './forge.ts'

/** The secret of authorities whose keys a test opens. */
export const SECRET = 'a secret for tests alone: 0123456789abcdef'

/** Opens a key of the ring with the secret that sealed it. */
export function stealKey(dataDir: string, use: KeyUse, secret = SECRET): Buffer {
  const row = queryOne(dataDir, `SELECT * FROM keys WHERE use = ? AND state = 'active'`, use)
  const context = `signing-key/${use}/${String(row['alg'])}/${String(row['kid'])}`
  const sealed = row['sealed'] as Uint8Array
  const plain = createSealer([secret], createSystemRandom()).open(sealed, context)
  if (plain === undefined) throw new Error('the secret does not open the key')
  return plain
}

/** The private exponent of the access key, as its 32 bytes. */
export function stealPrivateNumber(dataDir: string): Buffer {
  const key = createPrivateKey({ key: stealKey(dataDir, 'access'), format: 'der', type: 'pkcs8' })
  return Buffer.from(String(key.export({ format: 'jwk' }).d), 'base64url')
}

/** A copy of a token with other claims, signed with the stolen HMAC key. */
export function forgeRefresh(
  dataDir: string,
  original: string,
  changes: Readonly<Record<string, unknown>>,
): string {
  const [header = ''] = original.split('.')
  const claims = Buffer.from(JSON.stringify({ ...claimsOf(original), ...changes }))
  const signed = `${header}.${claims.toString('base64url')}`
  const signature = createHmac('sha256', stealKey(dataDir, 'refresh')).update(signed)
  return `${signed}.${signature.digest('base64url')}`
}
