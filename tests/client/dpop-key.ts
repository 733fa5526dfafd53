import { jwkThumbprint } from '@countersign/jwt'

import type { DpopKey } from '../../packages/client/src/dpop.ts'

/** A key as an application with its own keychain gives it to `createDpop`, and its thumbprint. */
export async function createOwnKey(): Promise<{ readonly key: DpopKey; readonly jkt: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const pair = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])
  const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const jwk = { kty: 'EC', crv: 'P-256', x, y } as const
  const how = { name: 'ECDSA', hash: 'SHA-256' }
  const key: DpopKey = { jwk, sign: (bytes) => crypto.subtle.sign(how, pair.privateKey, bytes) }
  return { key, jkt: jwkThumbprint(jwk) }
}
