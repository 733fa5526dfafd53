import { createGuard, type FreshnessPolicy, type GuardOptions } from '@countersign/guard'

/** A separate process for tests about processes. It returns what its guard answers about tokens. */
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
