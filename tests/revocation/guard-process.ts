import { createGuard, type FreshnessPolicy, type GuardOptions } from '@countersign/guard'

/** A guard in a separate process. It returns the guard's results for tokens. */
const guard = createGuard(JSON.parse(process.argv[2] ?? '{}') as GuardOptions)
await guard.ready()
process.on('message', (question: { token: string; policy: FreshnessPolicy }) => {
  void answer(question)
})
process.send?.('ready')

async function answer({
  token,
  policy,
}: {
  token: string
  policy: FreshnessPolicy
}): Promise<void> {
  const result = await guard.verify(token, { policy })
  const { feed } = guard.metrics()
  process.send?.({ code: result.ok ? 'ok' : result.code, leaseAgeMs: feed?.leaseAgeMs })
}
