import { expect, test, vi } from 'vitest'

import { simulate } from './simulate.ts'

// With a chain value that depends only on the position, guards compare positions but not histories.
vi.mock('../../../packages/guard/src/revocations/entry.ts', async (original) => ({
  ...(await original<object>()),
  chainValue: (_previous: Uint8Array, { position }: { readonly position: number }) => {
    const value = Buffer.alloc(32)
    value.writeBigUInt64BE(BigInt(position))
    return value
  },
}))

test('each rule is needed: the simulation detects a missing chain', async () => {
  const found: string[] = []
  for (let seed = 1; seed <= 500 && found.length === 0; seed++) {
    const { violations } = await simulate(seed)
    found.push(...violations.filter((violation) => violation.includes('accepted')))
  }
  expect(found).not.toEqual([])
}, 600_000)
