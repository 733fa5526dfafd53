import { median } from '../../bench/lib/statistics.ts'
import type { Sample } from './samples.ts'

/** A value of the samples that must not grow, and how much it may. */
export interface Bound {
  readonly name: string
  readonly unit: string
  readonly of: (sample: Sample) => number
  /** The last third may exceed the first by this share of the first, or by `atLeast`, whichever is more. */
  readonly share: number
  readonly atLeast: number
}

/** The values that the soak test watches. Latencies may double, because other programs may use the machine. */
export const BOUNDS: readonly Bound[] = [
  { name: 'Memory of a node', unit: 'MB', of: (it) => it.rssMb, share: 0.25, atLeast: 25 },
  { name: 'Heap of a node', unit: 'MB', of: (it) => it.heapMb, share: 0.25, atLeast: 10 },
  { name: 'Open handles of a node', unit: '', of: (it) => it.handles, share: 0.25, atLeast: 20 },
  {
    name: 'Connections to the database',
    unit: '',
    of: (it) => it.connections,
    share: 0,
    atLeast: 6,
  },
  { name: 'Refresh, median', unit: 'ms', of: (it) => it.refreshP50, share: 1, atLeast: 50 },
  { name: 'Refresh, p99', unit: 'ms', of: (it) => it.refreshP99, share: 1, atLeast: 250 },
  { name: 'Login, p99', unit: 'ms', of: (it) => it.loginP99, share: 1, atLeast: 250 },
  { name: 'Logout, p99', unit: 'ms', of: (it) => it.logoutP99, share: 1, atLeast: 250 },
]

/** The median of a value in the first and in the last third of a run. */
export interface Growth {
  readonly name: string
  readonly unit: string
  readonly first: number
  readonly last: number
  /** The largest value that the last third may have. */
  readonly allowed: number
}

/** Compares the last third of the samples with the first. Pass samples from after the start, when caches are filled. */
export function measureGrowth(samples: readonly Sample[]): readonly Growth[] {
  const third = Math.floor(samples.length / 3)
  if (third === 0) throw new Error('Three samples are needed at least: let it run for longer.')
  return BOUNDS.map(({ name, unit, of, share, atLeast }) => {
    const medianOf = (some: readonly Sample[]): number => {
      const measured = some.map(of).filter((value) => value > 0)
      if (measured.length === 0)
        throw new Error(`${name}: nothing was measured in a third of the run.`)
      return median(measured)
    }
    const first = medianOf(samples.slice(0, third))
    const last = medianOf(samples.slice(-third))
    const allowed = Math.round((first + Math.max(first * share, atLeast)) * 10) / 10
    return { name, unit, first, last, allowed }
  })
}
