import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { afterAll, describe, expect, test, vi } from 'vitest'

// Node 20 cannot strip types.
const strip = 'stripTypeScriptTypes' in nodeModule ? nodeModule.stripTypeScriptTypes : undefined

/**
 * Runs each example of a README and compares its output with the output that its comments promise. The
 * examples are written to a folder below `inside`, a directory of the package. There they can import the
 * package by its name.
 */
export function describeExamples(readme: string, inside: string): void {
  describe.skipIf(strip === undefined)('the examples', () => {
    const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? '')
    const folder = mkdtempSync(join(inside, 'readme-'))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    test.each(blocks.map((code, at) => [at + 1, code] as const))(
      'block %i runs',
      async (at, code) => {
        const file = join(folder, `block-${at}.mjs`)
        writeFileSync(file, strip?.(code) ?? '')
        const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
        try {
          await import(/* @vite-ignore */ pathToFileURL(file).href)
          expect(log.mock.calls.map((values) => values.map(String).join(' '))).toEqual(
            promisedOutput(code),
          )
        } finally {
          log.mockRestore()
        }
      },
    )
  })
}

// `console.log(x) // text: why` promises the output `text`. A log without such a comment is in a branch that
// does not run.
function promisedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\) \/\/ ([^:\n]+)/g)].map(([, text]) => text ?? '')
}
