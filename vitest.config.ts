import { defineConfig } from 'vitest/config'

// Fast suites run with `npm test` at once; those named slow-* one file after the other, since they
// measure races and kill processes.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: ['**/slow-*.test.ts'],
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
