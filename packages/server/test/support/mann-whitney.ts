/** How two samples differ. */
export interface Difference {
  /** The difference of the medians, as a share of the first one. */
  readonly ofMedians: number
  /** The probability of a rank sum this far off, or further, if both samples have one distribution. */
  readonly p: number
}

/**
 * The two-sided Mann-Whitney U test, by the normal approximation with its correction for ties. It tells
 * whether the values of one sample tend to be larger. It uses only ranks, so that a few outliers, which a
 * shared machine causes, count no more than other values.
 */
export function compareSamples(first: readonly number[], second: readonly number[]): Difference {
  const [n, m] = [first.length, second.length]
  const { rankSum, ties } = rankOf(first, second)
  const u = rankSum - (n * (n + 1)) / 2
  const all = n + m
  const variance = ((n * m) / 12) * (all + 1 - ties / (all * (all - 1)))
  const z = (u - (n * m) / 2) / Math.sqrt(variance)
  const median = medianOf(first)
  return { ofMedians: (medianOf(second) - median) / median, p: twoSided(z) }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = NaN, high = NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}

/** The sum of the ranks of the first sample. Equal values share the mean of their ranks. */
function rankOf(
  first: readonly number[],
  second: readonly number[],
): { readonly rankSum: number; readonly ties: number } {
  const all = [
    ...first.map((value) => ({ value, isFirst: true })),
    ...second.map((value) => ({ value, isFirst: false })),
  ].toSorted((a, b) => a.value - b.value)
  let rankSum = 0
  let ties = 0
  for (let start = 0; start < all.length;) {
    let end = start
    while (end < all.length && all[end]?.value === all[start]?.value) end += 1
    const count = end - start
    const rank = (start + 1 + end) / 2
    rankSum += rank * all.slice(start, end).filter(({ isFirst }) => isFirst).length
    ties += count ** 3 - count
    start = end
  }
  return { rankSum, ties }
}

/** The probability that a normal value lies at least as far from 0 as `z`. */
function twoSided(z: number): number {
  // Abramowitz and Stegun 7.1.26: erfc to within 1.5e-7.
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592]
  return Math.min(1, series.reduce((sum, factor) => (sum + factor) * t, 0) * Math.exp(-x * x))
}
