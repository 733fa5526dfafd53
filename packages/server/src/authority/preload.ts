import { setImmediate } from 'node:timers/promises'

import type { Logger } from 'pino'

import { messageOf } from '../base/faults.ts'
import { loadPasskeyLibrary } from '../factors/passkeys/library.ts'
import type { Store } from '../store/store.ts'

/** The parts that the first answers do not need. Each is imported where it is used. */
const DEFERRED: readonly ((store: Pick<Store, 'factors'>) => Promise<unknown>)[] = [
  () => import('@node-rs/argon2'),
  () => import('ws'),
  () => import('bowser'),
  () => import('../http/openapi/document.ts'),
  // 7 MB that only servers with second factors need.
  async ({ factors }) => (await factors.hasAny('totp')) && import('otplib'),
  // Nothing else runs for 0.3 s, and it takes 20 MB. Without passkeys, the first registration begins to load it.
  async ({ factors }) => (await factors.hasAny('passkey')) && loadPasskeyLibrary(),
]

/** Long enough for the first answers of a server that just started. */
const DELAY_MS = 500

/**
 * Loads the deferred parts soon after the start, one after the other, so that requests run in between. Otherwise the
 * first request that needs one would wait for the disk. It would even fail after an upgrade has replaced the files of a
 * running server. Returns the function that stops it.
 */
export function startPreload(store: Pick<Store, 'factors'>, logger: Logger): () => void {
  let isStopped = false
  const timer = setTimeout(() => {
    preload(store, () => isStopped).catch((error: unknown) => {
      // The store closes while it is asked.
      if (isStopped) return
      // The request that needs this part tries again.
      logger.error({ event: 'preload_failed', error: messageOf(error) })
    })
  }, DELAY_MS)
  timer.unref()
  return () => {
    isStopped = true
    clearTimeout(timer)
  }
}

async function preload(store: Pick<Store, 'factors'>, isStopped: () => boolean): Promise<void> {
  for (const load of DEFERRED) {
    if (isStopped()) return
    await load(store)
    await setImmediate()
  }
}
