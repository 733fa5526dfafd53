import { expect, test } from 'vitest'

import { simulate } from './simulate.ts'
import { variants } from './variants.ts'

const isLong = process.env['LONG_TESTS'] === '1'
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? (isLong ? 2_000 : 100))

/** Only one of several hundred worlds shows that this rule is needed. */
const RARE = 'the lease counted from arrival'

test(`${SEEDS} worlds: no revoked token is accepted too late, no honest session is lost`, async () => {
  let accepted = 0
  const bad: string[] = []
  const repairs: Record<string, number> = {}
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await simulate(seed)
    accepted += result.accepted
    for (const kind of result.repairs) repairs[kind] = (repairs[kind] ?? 0) + 1
    for (const violation of result.violations) bad.push(`seed ${seed}: ${violation}`)
  }
  console.log(JSON.stringify({ seeds: SEEDS, accepted, repairs }))
  expect(bad.slice(0, 20)).toEqual([])
  // Worlds in which no token is accepted, or no entry is lost, would prove nothing.
  expect(accepted / SEEDS).toBeGreaterThan(100)
  expect(repairs['rejoin'] ?? 0).toBeGreaterThan(SEEDS / 20)
}, 1_200_000)

test.each(Object.entries(variants).filter(([name]) => isLong || name !== RARE))(
  'each rule is needed: the simulation detects %s',
  async (_name, variant) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await simulate(seed, variant)
      if (violations.some((violation) => violation.includes('accepted'))) return
    }
    throw new Error(`no world of ${SEEDS} shows the violation`)
  },
  1_200_000,
)
