/**
 * Returns the candidate that a misspelled name probably means, or undefined if no candidate is near. The
 * candidates are compared in order, and the nearest one wins. Case does not matter.
 */
export function findClosest(name: string, candidates: Iterable<string>): string | undefined {
  let best: { readonly candidate: string; readonly distance: number } | undefined
  for (const candidate of candidates) {
    const distance = distanceBetween(name.toLowerCase(), candidate.toLowerCase())
    if (distance <= mistakesMax(candidate) && distance < (best?.distance ?? Infinity)) {
      best = { candidate, distance }
    }
  }
  return best?.candidate
}

/** A short name has many neighbours that are other words. */
function mistakesMax(name: string): number {
  return Math.min(3, Math.max(1, Math.floor(name.length / 4)))
}

const PREFIX_CHARS_MIN = 5

/**
 * Counts the characters to insert, delete, replace or swap (optimal string alignment). The beginning of a
 * name, such as `ADMIN_PASS`, counts as one mistake.
 */
function distanceBetween(a: string, b: string): number {
  if (a.length >= PREFIX_CHARS_MIN && a.length < b.length && b.startsWith(a)) return 1
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const isEqual = a[i - 1] === b[j - 1]
      let least = Math.min(
        (previous[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + (isEqual ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      }
      row.push(least)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
