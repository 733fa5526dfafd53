import { availableParallelism } from 'node:os'

import { defineConfig } from 'vitest/config'

// Fast suites run with `npm test` at once, some beside each other, since they wait more than they work;
// those named slow-* one file after the other, since they measure races and kill processes.
export default defineConfig({
  test: {
    maxWorkers: Math.max(3, availableParallelism()),
    projects: [
      {
        test: {
          name: 'fast',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: ['**/slow-*.test.ts'],
          // Files keep what they share in the modules that they import; loading those anew takes a third
          // of the time.
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'slow',
          include: ['packages/*/test/**/slow-*.test.ts', 'tests/**/slow-*.test.ts'],
          testTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
