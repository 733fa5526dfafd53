import { SetupError } from '../base/faults.ts'
import { openSharedSecrets } from '../keys/foreign-signer.ts'
import { ACCESS_TYP, KeyRing, type KeyRingOptions } from '../keys/ring.ts'
import { ringSchedule, storedSchedule } from '../keys/schedule.ts'
import { createSealer } from '../keys/sealing.ts'
import { readSecret } from '../keys/secret.ts'
import type { Workbench } from './workbench.ts'

/** Proves that the secret of this shell is a secret of the server. Throws a `SetupError` otherwise. */
export async function assertServerSecret(bench: Workbench): Promise<void> {
  const parts = await ringParts(bench)
  await KeyRing.read({ ...parts, schedule: await storedSchedule(bench.store.keys) })
}

/**
 * Returns the parts of the key ring in this data directory, for commands that only read it. Throws a
 * `SetupError` if there are no keys yet. A command must not create keys: it would seal them with the secret
 * of this shell, which may differ from the server's secret.
 */
export async function ringParts({
  settings,
  store,
  random,
}: Pick<Workbench, 'settings' | 'store' | 'random'>): Promise<KeyRingOptions> {
  if ((await store.keys.list()).length === 0) {
    throw new SetupError('There are no signing keys yet. Start the server first.')
  }
  const secrets = settings.secrets ?? [readSecret(settings.dataDir)]
  return {
    store: store.keys,
    sealer: createSealer(secrets, random),
    clock: store.clock,
    random,
    // Only for reading. Commands that change the ring use the stored schedule: see `openRing`.
    schedule: ringSchedule(settings),
    foreign: settings.sharedSecrets && openSharedSecrets(settings.sharedSecrets, ACCESS_TYP),
  }
}
