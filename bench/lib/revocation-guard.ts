import { createGuard } from '@countersign/guard'

/**
 * A service for `bench/revocation.ts`, in its own process: a complete guard that has a token of each session
 * and records when it first rejects each token. Its parent process sends the tokens and receives the times.
 */

interface Start {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** The node to whose feed it connects. */
  readonly url: string
  readonly tokens: readonly string[]
}

// Also when the benchmark has failed.
process.once('disconnect', () => process.exit())
process.once('message', (message) => {
  void run(message as Start)
})

async function run({ issuer, clientId, clientSecret, url, tokens }: Start): Promise<void> {
  const guard = createGuard({
    issuer,
    feed: { clientId, clientSecret, url },
    cacheEntriesMax: 32_768,
    readyTimeoutMs: 60_000,
  })
  await guard.ready()
  const isRefused = (index: number): boolean => {
    const result = guard.verify(tokens[index] ?? '')
    return 'ok' in result && !result.ok && result.code === 'session_ended'
  }
  // The guard first verifies all tokens, as earlier requests would. Only the time after the revocation
  // counts.
  for (let index = 0; index < tokens.length; index++) {
    if (isRefused(index)) throw new Error('a token is refused too early')
  }
  const refusedAt: number[] = Array.from({ length: tokens.length }, () => 0)
  let first = 0
  guard.watch(() => {
    const now = Date.now()
    // The sessions are revoked nearly in this order.
    for (let index = first; index < Math.min(tokens.length, first + WINDOW); index++) {
      if (refusedAt[index] === 0 && isRefused(index)) refusedAt[index] = now
    }
    while (first < tokens.length && refusedAt[first] !== 0) first += 1
  })
  process.on('message', () => {
    process.send?.({ refusedAt }, undefined, undefined, () => {
      guard.close()
      process.disconnect()
    })
  })
  process.send?.('ready')
}

const WINDOW = 400
