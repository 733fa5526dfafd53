import { mkdirSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'

import type { TestSpecification } from 'vitest/node'
import { BaseSequencer } from 'vitest/node'
import { defineConfig } from 'vitest/config'

// Four projects. `fast` and `slow` run several files at once, because they wait more than they work. `faults` is the
// long form of the fault suites: `npm run test:faults`. `long` runs simulations and fuzzing that take many minutes:
// `npm run test:long`. Both measure times, so they run one file after the other.

/** Files whose size depends on LONG_TESTS. `fast` and `slow` run a short form of them. */
const SIZED = [
  'packages/jwt/test/second-opinion.test.ts',
  'packages/jwt/test/slow-fuzz.test.ts',
  'packages/server/test/attacks-mail.test.ts',
  'packages/server/test/bad-input.test.ts',
  'packages/server/test/by-mail-enumeration.test.ts',
  'packages/server/test/model.test.ts',
  'packages/server/test/passkey-hostile.test.ts',
  'packages/server/test/second-factor-model.test.ts',
  'packages/server/test/slow-enumeration.test.ts',
  'packages/server/test/slow-factor-races.test.ts',
  'packages/server/test/slow-mail-kill.test.ts',
  'packages/server/test/slow-mail-races.test.ts',
  'packages/server/test/slow-mixture.test.ts',
  'packages/server/test/usernames.test.ts',
  'tests/cluster/slow-cluster.test.ts',
  'tests/cluster/slow-log-order.test.ts',
  'tests/cluster/slow-single-use.test.ts',
  'tests/revocation/simulation/slow-simulation.test.ts',
]

// A limit only finds a test that hangs, so it is far above what a busy machine needs. Speed is measured in bench/.
const LIMIT_MS = 120_000
const LIMIT_SLOW_MS = 300_000
const expect = { poll: { timeout: 60_000, interval: 20 } }

/**
 * The longest files, which start first. Otherwise one of them may run alone at the end. Without results of an earlier
 * run, Vitest starts the largest files first.
 */
const LONGEST = [
  'tests/client/slow-client.test.ts',
  'tests/revocation/slow-effective.test.ts',
  'packages/server/test/slow-start.test.ts',
  'packages/server/test/slow-cli.test.ts',
  'tests/client/slow-routers.test.ts',
  'tests/browser/slow-account-pages.test.ts',
  'packages/server/test/slow-enumeration.test.ts',
  'tests/browser/slow-browser.test.ts',
  'tests/redis/slow-mirror.test.ts',
  'tests/faults/slow-kill.test.ts',
  'packages/server/test/own-users.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((path) => moduleId.endsWith(`/${path}`))
      return at === -1 ? LONGEST.length : at
    }
    // A method of Vitest, not of an array.
    // oxlint-disable-next-line unicorn/no-array-sort
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    maxWorkers: Math.max(3, availableParallelism()),
    projects: [
      {
        test: {
          name: 'fast',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: ['**/slow-*.test.ts', '**/long-*.test.ts'],
          // Files share nothing but the modules that they import. Loading those again for each file would
          // take a third of the time.
          isolate: false,
          testTimeout: LIMIT_MS,
          hookTimeout: LIMIT_MS,
          expect,
          env: inMemory(),
        },
      },
      {
        test: {
          name: 'slow',
          include: ['packages/*/test/**/slow-*.test.ts', 'tests/**/slow-*.test.ts'],
          testTimeout: LIMIT_SLOW_MS,
          hookTimeout: LIMIT_SLOW_MS,
          expect,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['tests/faults/slow-*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: LIMIT_SLOW_MS,
          expect,
          fileParallelism: false,
          env: { LONG_TESTS: '1' },
        },
      },
      {
        test: {
          name: 'long',
          include: ['packages/*/test/**/long-*.test.ts', 'tests/**/long-*.test.ts', ...SIZED],
          testTimeout: 1_200_000,
          hookTimeout: LIMIT_SLOW_MS,
          expect,
          fileParallelism: false,
          env: { LONG_TESTS: '1' },
        },
      },
    ],
  },
})

/**
 * Puts temporary databases into memory where Linux offers 1 GiB of it: opening one on a disk waits 60 ms
 * for the disk. The slow suites test on a disk that data survives a crash.
 */
function inMemory(): Record<string, string> {
  const folder = '/dev/shm/countersign-tests'
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    if (bavail * bsize < 2 ** 30) return {}
    mkdirSync(folder, { recursive: true })
    return { TMPDIR: folder }
  } catch {
    return {}
  }
}
