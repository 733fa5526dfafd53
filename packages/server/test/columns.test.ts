import { expect, test } from 'vitest'

import { StoreFault } from '../src/base/faults.ts'
import { columnsOf } from '../src/store/sql/columns.ts'
import { openTestAuthority } from './support/authority.ts'
import { withDatabase } from './support/database.ts'

const table = columnsOf('things')

test('a column is read with its type, and NULL as undefined', () => {
  const bytes = new Uint8Array([1])
  const row = { t: 'text', i: -5, f: 1, b: bytes, list: '["a","b"]', none: null, empty: '[]' }
  expect(table.text(row, 't')).toBe('text')
  expect(table.textOrUndefined(row, 't')).toBe('text')
  expect(table.textOrUndefined(row, 'none')).toBeUndefined()
  expect(table.integer(row, 'i')).toBe(-5)
  expect(table.integerOrUndefined(row, 'i')).toBe(-5)
  expect(table.integerOrUndefined(row, 'none')).toBeUndefined()
  expect(table.flag(row, 'f')).toBe(true)
  expect(table.bytes(row, 'b')).toBe(bytes)
  expect(table.texts(row, 'list')).toEqual(['a', 'b'])
  expect(table.texts(row, 'empty')).toEqual([])
})

test.each([
  ['text', [1, null, undefined, new Uint8Array()]],
  ['textOrUndefined', [1, new Uint8Array()]],
  ['integer', ['1', 1.5, 2 ** 53, -(2 ** 53), null, undefined, 1n]],
  ['integerOrUndefined', ['1', 1.5, 2 ** 53]],
  ['flag', [2, '1', 'true', null]],
  ['bytes', ['bytes', null, [1]]],
  ['texts', ['', '{}', '[1]', '["a",null]', '[', null, 5]],
] as const)(
  '%s throws a fault that names table and column for every other value',
  (read, values) => {
    for (const value of values) {
      const call = (): unknown => table[read]({ column: value }, 'column')
      expect(call).toThrow(StoreFault)
      expect(call).toThrow(/things\.column/)
    }
  },
)

test('a damaged row is answered 503 as a fault of the store, not with a token with wrong roles', async () => {
  await using it = await openTestAuthority()
  const { refresh } = await it.login()
  withDatabase(it.dataDir, (db) => db.exec(`UPDATE accounts SET roles = '["admin"'`))
  const response = await it.post('/api/token/refresh/', { refresh })
  expect(response.status).toBe(503)
})
