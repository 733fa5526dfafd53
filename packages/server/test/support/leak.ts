import { compareSamples, medianOf } from './mann-whitney.ts'

/** Times of two kinds of requests, in milliseconds, and how far their medians may differ. */
export interface Pair {
  readonly what: string
  readonly kinds: readonly [string, string]
  readonly samples: readonly [readonly number[], readonly number[]]
  readonly mediansDifferMax: number
}

const P_MAX = 0.001

/** Whether the times of two kinds of requests differ. Prints the figures. */
export function isLeak({ what, kinds, samples, mediansDifferMax }: Pair): boolean {
  const [first, second] = samples
  const { p, ofMedians } = compareSamples(first, second)
  const medians = kinds.map((kind, n) => `${kind} ${medianOf(samples[n] ?? []).toFixed(3)} ms`)
  const effect = `${(100 * ofMedians).toFixed(3)} %`
  console.log(
    `${what}: n = ${first.length}; ${medians.join(', ')}; medians differ by ${effect}, p = ${p.toPrecision(3)}`,
  )
  return p < P_MAX && Math.abs(ofMedians) > mediansDifferMax
}

/** The values in random order. */
export function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
