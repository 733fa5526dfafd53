import { createHash, randomUUID } from 'node:crypto'

import { jwkThumbprint } from '@countersign/jwt'

import { createTestKey, NOW_SEC, signRaw, type TestKey } from './issuer.ts'

/** A client that holds a key and proves it. Its proofs are made with node:crypto alone. */
export class DpopHolder {
  readonly key: TestKey = createTestKey()
  readonly jwk: Record<string, unknown>
  /** The thumbprint of the key. */
  readonly jkt: string

  constructor() {
    const { kty, crv, x, y } = this.key.jwk
    this.jwk = { kty, crv, x, y }
    this.jkt = jwkThumbprint(this.jwk)
  }

  /** Makes a proof. A change to `undefined` removes that claim or header parameter. */
  proof(claims: object = {}, header: object = {}): string {
    const base = { typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk }
    return signRaw(this.key, { ...base, ...header }, { ...proofClaims(), ...claims })
  }
}

/** The claims of a proof for `GET https://api.example/me` without a token. */
function proofClaims(): Record<string, unknown> {
  return { jti: randomUUID(), htm: 'GET', htu: 'https://api.example/me', iat: NOW_SEC }
}

/** The claim `ath` of a token. */
export function athOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
