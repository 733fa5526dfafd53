import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import { describeExamples } from '../../../tests/support/readme-examples.ts'
import * as api from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

function sectionOf(title: string): string {
  const start = readme.indexOf(`\n## ${title}\n`)
  const end = readme.indexOf('\n## ', start + 1)
  return readme.slice(start, end === -1 ? undefined : end)
}

test('the table of refusals equals the table in the code', () => {
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

test('the table of the API names exactly the exports that are values', () => {
  const byName = (a: string, b: string) => a.localeCompare(b)
  expect(namesOfTable(0).toSorted(byName)).toEqual(Object.keys(api).toSorted(byName))
})

test('the table of options names every option of a verifier', () => {
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

describeExamples(readme, import.meta.dirname)
