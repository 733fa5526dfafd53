import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

// docs/attack-catalogue.md names the suite of each attack. These tests check that the table is right.

const root = fileURLToPath(new URL('../../../', import.meta.url))
const table = readFileSync(join(root, 'docs/attack-catalogue.md'), 'utf8')

/** The attack numbers of each row, and the suites that the row names. */
const rows = [...table.matchAll(/^\| ([A-Z]\d\d(?:, [A-Z]\d\d)*) *\|[^|]*\|([^|]*)\|$/gm)].flatMap(
  ([, numbers = '', where = '']) =>
    numbers.split(', ').map((number) => ({ number, where: where.trim() })),
)

/** The attack numbers in the test names of each suite, by the short name of the suite. */
const suites = new Map(
  globSync('packages/server/test/*.test.ts', { cwd: root }).map((path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const names = [...text.matchAll(/['"`]((?:[ACDPR]\d\d (?:and )?)+)/g)].map(
      ([, each = '']) => each,
    )
    const numbers = names.flatMap((name) =>
      [...name.matchAll(/[ACDPR]\d\d/g)].map(([each]) => each),
    )
    return [basename(path, '.test.ts'), new Set(numbers)] as const
  }),
)

/** The suites of the server that a row names. */
function named(where: string): string[] {
  const words = where.replaceAll(/`[^`]*`/g, '').split(/[\s,;:.]+/)
  return words.filter((word) => suites.has(word))
}

test('each of the five groups has its rows, each number once', () => {
  const numbers = rows.map(({ number }) => number)
  expect(new Set(numbers).size).toBe(numbers.length)
  for (const group of 'ACDPR') {
    expect(numbers.filter((number) => number.startsWith(group)).length).toBeGreaterThan(9)
  }
})

describe('the table', () => {
  test.each(rows)('names the suites that test $number', ({ number, where }) => {
    const there = [...suites].filter(([, numbers]) => numbers.has(number)).map(([name]) => name)
    if (where.startsWith('not here: ')) expect(there).toEqual([])
    else expect(there.filter((name) => named(where).includes(name))).not.toEqual([])
    // No suite that the row does not name tests it.
    expect(there.filter((name) => !named(where).includes(name))).toEqual([])
  })
})
