import { expect, test } from 'vitest'

import { simulate } from './simulate.ts'
import { variants } from './variants.ts'

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 2_000)

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
  // A world in which nothing is accepted, or nothing fails, proves nothing.
  expect(accepted / SEEDS).toBeGreaterThan(100)
  expect(repairs['rejoin'] ?? 0).toBeGreaterThan(SEEDS / 20)
}, 600_000)

test.each(Object.entries(variants))(
  'each rule is needed: the simulation detects %s',
  async (_name, variant) => {
    // Nearly all show within a few worlds. A lease that counts from the arrival of its echo takes some hundred.
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await simulate(seed, variant)
      if (violations.some((violation) => violation.includes('accepted'))) return
    }
    throw new Error(`no world of ${SEEDS} shows the violation`)
  },
  600_000,
)
