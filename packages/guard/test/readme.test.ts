import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { refusals } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the README lists each refusal with its status and its error, and no other', () => {
  const rows = [...readme.matchAll(/^\| `(\w+)` \| (\d{3}) \| (?:`(\w+)`)? ?\|/gm)]
  const listed = Object.fromEntries(
    rows.map(([, code, status, error]) => [code, { status: Number(status), error }]),
  )
  const real = Object.entries(refusals).map(([code, { status, error }]) => [
    code,
    { status, error },
  ])
  expect(listed).toEqual(Object.fromEntries(real))
})
