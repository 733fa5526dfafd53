import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test, vi } from 'vitest'
import * as api from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

function sectionOf(title: string): string {
  const start = readme.indexOf(`\n## ${title}\n`)
  const end = readme.indexOf('\n## ', start + 1)
  return readme.slice(start, end === -1 ? undefined : end)
}

test('the table of refusals is the one of the code', () => {
  const rows = [...sectionOf('Refusals').matchAll(/^\| `(\w+)` \| (.+) \|$/gm)]
  expect(rows.map(([, code, text]) => [code, text])).toEqual(Object.entries(api.refusals))
})

/** The first column of the n-th table under the heading API, without the arguments of functions. */
function namesOfTable(index: number): string[] {
  const table =
    sectionOf('API')
      .split('\n\n')
      .filter((part) => part.startsWith('|'))[index] ?? ''
  return [...table.matchAll(/^\| `(\w+)/gm)].map(([, name]) => name ?? '')
}

test('the table of the API names each export that is a value, and no other', () => {
  const byName = (a: string, b: string) => a.localeCompare(b)
  expect(namesOfTable(0).toSorted(byName)).toEqual(Object.keys(api).toSorted(byName))
})

test('the table of options names each option of a verifier', () => {
  const every: Record<keyof api.VerifierOptions, true> = {
    keys: true,
    typ: true,
    issuer: true,
    audience: true,
    requiredClaims: true,
    maxAgeSec: true,
    toleranceSec: true,
    clock: true,
    cacheEntriesMax: true,
  }
  expect(namesOfTable(1)).toEqual(Object.keys(every))
})

// Node 20 cannot strip types.
const strip = 'stripTypeScriptTypes' in nodeModule ? nodeModule.stripTypeScriptTypes : undefined

describe.skipIf(strip === undefined)('the examples', () => {
  const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? '')
  // Inside the package, so that it finds itself by its name.
  const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))
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

// `console.log(x) // text: why` promises the output `text`; a log without such a comment stands in
// a branch that is not taken.
function promisedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\) \/\/ ([^:\n]+)/g)].map(([, text]) => text ?? '')
}
