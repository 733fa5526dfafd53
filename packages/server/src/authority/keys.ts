import type { Logger } from 'pino'

import type { Clock } from '../base/clock.ts'
import { SetupError } from '../base/faults.ts'
import type { Random } from '../base/random.ts'
import {
  openForeignSigner,
  openSharedSecrets,
  type ForeignSigner,
  type OpenedSigner,
} from '../keys/foreign-signer.ts'
import { ACCESS_TYP, KeyRing } from '../keys/ring.ts'
import { ringSchedule } from '../keys/schedule.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'

/**
 * Opens the key ring. If a shared secret or a foreign signer is set, it signs access tokens in place of the
 * ring's keys.
 */
export async function openKeyRing(
  settings: Settings,
  store: Store,
  options: {
    readonly sealer: Sealer
    readonly clock: Clock
    readonly random: Random
    readonly signer: ForeignSigner | undefined
  },
): Promise<KeyRing> {
  const { sealer, clock, random, signer } = options
  return KeyRing.open({
    store: store.keys,
    sealer,
    clock,
    random,
    schedule: ringSchedule(settings),
    foreign: await openOutsideSigner(settings, signer),
  })
}

/**
 * Warns of published keys with an algorithm that many libraries do not know. RFC 9864 gave `EdDSA` with the
 * curve Ed25519 a name of its own. PyJWT, for example, knows only the older name and rejects all tokens.
 */
export function warnOfAlgorithms({ jwks }: Pick<KeyRing, 'jwks'>, logger: Logger): void {
  const kids = jwks.keys.filter(({ alg }) => alg === 'Ed25519').map(({ kid }) => kid)
  if (kids.length > 0) logger.warn({ event: 'algorithm_not_widely_known', alg: 'Ed25519', kids })
}

async function openOutsideSigner(
  { sharedSecrets }: Settings,
  signer: ForeignSigner | undefined,
): Promise<OpenedSigner | undefined> {
  if (signer === undefined) return sharedSecrets && openSharedSecrets(sharedSecrets, ACCESS_TYP)
  if (sharedSecrets === undefined) return openForeignSigner(signer, ACCESS_TYP)
  throw new SetupError('signer and sharedSecret exclude each other.')
}
