import { expect, test } from 'vitest'

import { formatRate } from '../src/cli/progress.ts'

test.each([
  [1_000, 9_000, 2_000, '500 rows/s, 18 s left'],
  [1_234_567, 120_000_000, 10_000, '123,457 rows/s, 16 min 13 s left'],
  [10, 0, 1_000, '10 rows/s, 0 s left'],
  // Too early to say.
  [100, 100, 499, ''],
  [0, 100, 5_000, ''],
])('%d rows done and %d left after %d ms are shown as "%s"', (done, left, elapsedMs, shown) => {
  expect(formatRate({ done, left, unit: 'rows' }, elapsedMs)).toBe(shown)
})
