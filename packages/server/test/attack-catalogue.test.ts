import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

// docs/attack-catalogue.md says which suite tries which attack. A table that nobody checks is soon wrong.

const root = fileURLToPath(new URL('../../../', import.meta.url))
const table = readFileSync(join(root, 'docs/attack-catalogue.md'), 'utf8')

/** The numbers of each row, and where it says that they are. */
const rows = [...table.matchAll(/^\| ([A-Z]\d\d(?:, [A-Z]\d\d)*) *\|[^|]*\|([^|]*)\|$/gm)].flatMap(
  ([, numbers = '', where = '']) =>
    numbers.split(', ').map((number) => ({ number, where: where.trim() })),
)

/** The numbers in the names of the tests of each suite, by the suite's short name. */
const suites = new Map(
  globSync('packages/server/test/*.test.ts', { cwd: root }).map((path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const names = [...text.matchAll(/['"`]((?:[ACDP]\d\d (?:and )?)+)/g)].map(
      ([, each = '']) => each,
    )
    const numbers = names.flatMap((name) => [...name.matchAll(/[ACDP]\d\d/g)].map(([each]) => each))
    return [basename(path, '.test.ts'), new Set(numbers)] as const
  }),
)

/** The suites of the server that a row names. */
function named(where: string): string[] {
  const words = where.replaceAll(/`[^`]*`/g, '').split(/[\s,;:.]+/)
  return words.filter((word) => suites.has(word))
}

test('each of the four groups has its rows, each number once', () => {
  const numbers = rows.map(({ number }) => number)
  expect(new Set(numbers).size).toBe(numbers.length)
  for (const group of 'ACDP') {
    expect(numbers.filter((number) => number.startsWith(group)).length).toBeGreaterThan(9)
  }
})

describe('what the table says', () => {
  test.each(rows)('of $number is so', ({ number, where }) => {
    const there = [...suites].filter(([, numbers]) => numbers.has(number)).map(([name]) => name)
    if (where.startsWith('not here: ')) expect(there).toEqual([])
    else expect(there.filter((name) => named(where).includes(name))).not.toEqual([])
    // No suite tries it behind the table's back.
    expect(there.filter((name) => !named(where).includes(name))).toEqual([])
  })
})
