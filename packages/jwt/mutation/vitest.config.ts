import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// A run ends at the first test that fails, so what takes longest comes last.
const LAST = ['json-strict', 'token-cache', 'attacks-keys', 'keys', 'algorithms', 'round-trip']

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rankOf(a.moduleId) - rankOf(b.moduleId))
  }
}

function rankOf(path: string): number {
  return LAST.findIndex((name) => path.endsWith(`/${name}.test.ts`))
}

// The fast suites, without those that compile or run other programs or replace modules, and without those that ask
// another library for its opinion: what they notice, the others notice in a tenth of the time.
// Not isolated from each other, which halves the time of each run.
export default defineConfig({
  test: {
    include: ['packages/jwt/test/**/*.test.ts'],
    exclude: [
      '**/slow-*.test.ts',
      '**/types.test.ts',
      '**/readme.test.ts',
      '**/ml-dsa-missing.test.ts',
      '**/second-opinion.test.ts',
      '**/interop-jose.test.ts',
    ],
    testTimeout: 20_000,
    isolate: false,
    sequence: { sequencer: QuickFirst },
  },
})
