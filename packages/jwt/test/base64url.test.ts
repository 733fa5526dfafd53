import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64url, encodeBase64url } from '../src/index.ts'

test('encodes without padding, in the URL alphabet', () => {
  expect(encodeBase64url(Uint8Array.of(0xfb, 0xff, 0xfe, 1))).toBe('-__-AQ')
  expect(decodeBase64url('-__-AQ')).toEqual(Buffer.of(0xfb, 0xff, 0xfe, 1))
})

test('whatever was encoded is decoded again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(Uint8Array.from(decodeBase64url(encodeBase64url(bytes)) ?? [])).toEqual(
        Uint8Array.from(bytes),
      )
    }),
  )
})

test('encodes only its own part of a larger buffer', () => {
  const whole = Uint8Array.of(1, 2, 3, 4)
  expect(encodeBase64url(whole.subarray(1, 3))).toBe(encodeBase64url(Uint8Array.of(2, 3)))
})

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

test.each([
  ['A', 4],
  ['AA', 16],
])(
  'behind %s only %i last characters have no stray bits, and only those are read',
  (start, count) => {
    const accepted = [...alphabet].filter((last) => decodeBase64url(start + last) !== undefined)
    expect(accepted).toHaveLength(count)
  },
)

test.each([
  'QQ==',
  'QQ=',
  'QQ ',
  ' QQ',
  'Q\nQ',
  '+/+/',
  'Q',
  'QUFBQ',
  'Q.Q',
  'QŁ',
  'ŁQ',
  'QQ\0',
  'é',
])('refuses %j', (text) => {
  expect(decodeBase64url(text)).toBeUndefined()
})

test('refuses what is not text', () => {
  expect(decodeBase64url(undefined as never)).toBeUndefined()
})
