import { expect, test } from 'vitest'

import { measureGrowth } from './growth.ts'
import type { Sample } from './samples.ts'

const STEADY: Sample = {
  atSec: 0,
  rssMb: 120,
  heapMb: 40,
  handles: 60,
  connections: 20,
  refreshP50: 5,
  refreshP99: 30,
  loginP99: 80,
  logoutP99: 40,
  refreshes: 400,
  logins: 40,
  logouts: 40,
  mailedCodes: 5,
  verified: 1_200,
  roleChanges: 1,
  busy: 0,
  failures: 0,
  tables: {},
}

function grown(samples: readonly Sample[]): readonly string[] {
  return measureGrowth(samples)
    .filter(({ last, allowed }) => last > allowed)
    .map(({ name }) => name)
}

test('a steady run passes, also with single bad samples', () => {
  const bad = { ...STEADY, rssMb: 900, refreshP99: 9_000 }
  expect(grown(Array.from({ length: 30 }, (_, n) => (n % 10 === 9 ? bad : STEADY)))).toEqual([])
})

test.each([
  ['rssMb', 3, 'Memory of a node'],
  ['heapMb', 2, 'Heap of a node'],
  ['handles', 2, 'Open handles of a node'],
  ['connections', 1, 'Connections to the database'],
  ['refreshP99', 20, 'Refresh, p99'],
] as const)('a leak of %s fails', (member, each, name) => {
  const samples = Array.from({ length: 30 }, (_, n) => ({
    ...STEADY,
    [member]: STEADY[member] + n * each,
  }))
  expect(grown(samples)).toEqual([name])
})

test('too few samples are refused', () => {
  expect(() => measureGrowth([STEADY, STEADY])).toThrow('Three samples')
})
