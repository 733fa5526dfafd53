import { importSigningKey, createSigner } from '@countersign/jwt'

import type { EpochMs } from '../base/clock.ts'
import type { ProviderSecret } from './provider.ts'

const APPLE = 'https://appleid.apple.com'
/** Apple allows six months. A secret for one request needs no more than this. */
const LIFE_SEC = 300

/** Makes the client secret of Apple: a JWT, signed with the key of the team. Throws for a key that is not EC P-256. */
export function makeAppleSecret(
  { teamId, keyId, privateKey }: Extract<ProviderSecret, { kind: 'apple' }>,
  clientId: string,
  now: EpochMs,
): string {
  const key = importSigningKey({ pem: privateKey }, { alg: 'ES256', kid: keyId })
  const iat = Math.floor(now / 1000)
  return createSigner(key, { typ: 'JWT' }).sign({
    iss: teamId,
    iat,
    exp: iat + LIFE_SEC,
    aud: APPLE,
    sub: clientId,
  })
}
