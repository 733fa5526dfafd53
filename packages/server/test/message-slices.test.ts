import { randomBytes } from 'node:crypto'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseLongJson } from '../src/revocations/long-message.ts'

const random = (bytes: number): string => randomBytes(bytes).toString('base64url')

function batchOf(entries: number): object {
  const list = Array.from({ length: entries }, (_, at) => [
    at,
    'session',
    random(16),
    1,
    1_000 + at,
  ])
  return { head: `${random(30)}.${random(200)}.${random(64)}`, mac: random(32), entries: list }
}

/** How many turns the event loop makes while the text is parsed. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns += 1
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  await work
  isDone = true
  return turns
}

test.each([
  [3, (batches: object[]) => ({ type: 'evidence', batches })],
  [5, (batches: object[]) => ({ guard: 'g', messages: [{ type: 'evidence', batches }] })],
] as const)(
  'batches at depth %i are parsed, and other work runs meanwhile',
  async (depth, wrap) => {
    const message = wrap(Array.from({ length: 1_500 }, (_, at) => batchOf(at % 80)))
    const parsed = parseLongJson(JSON.stringify(message), depth)
    expect(await turnsOf(parsed)).toBeGreaterThan(10)
    expect(await parsed).toEqual(message)
  },
)

test('a value of any shape is the same as with JSON.parse', async () => {
  const shapes = fc.jsonValue({ maxDepth: 6, noUnicodeString: false })
  await fc.assert(
    fc.asyncProperty(shapes, fc.integer({ min: 1, max: 6 }), async (value, depth) => {
      const text = JSON.stringify(value)
      expect(await parseLongJson(text, depth)).toEqual(JSON.parse(text))
    }),
  )
})

describe('hostile texts are refused, and other work runs meanwhile', () => {
  const million = 1_000_000
  test.each([
    ['many small batches', `{"type":"evidence","batches":[${'{},'.repeat(million)}{}]}`],
    ['one long batch', `{"type":"evidence","batches":[[${'[],'.repeat(million)}[]]]}`],
    ['a batch of too many lists', `{"batches":[{"a":[${'[],'.repeat(100_000)}[]]}]}`],
    ['a batch of too many values', `{"batches":[[${'1,'.repeat(100_000)}1]]}`],
    ['many numbers', `{"type":"evidence","batches":[${'1,'.repeat(3 * million)}1]}`],
    ['many brackets', '['.repeat(6 * million)],
    ['closing brackets', `{"batches":[${'{}]'.repeat(2 * million)}`],
    ['one long string', `{"type":"${'x'.repeat(6 * million)}"}`],
    ['a string without an end', `{"type":"${'\\"'.repeat(3 * million)}`],
  ])('%s', async (_, text) => {
    expect(await parseLongJson(text, 3)).toBeUndefined()
  })

  test('several at once are parsed one after the other', async () => {
    const text = JSON.stringify({ batches: Array.from({ length: 1_500 }, () => batchOf(40)) })
    const alone = await turnsOf(parseLongJson(text, 3))
    const together = await turnsOf(Promise.all([1, 2, 3].map(() => parseLongJson(text, 3))))
    expect(together).toBeGreaterThan(2 * alone)
  })
})
