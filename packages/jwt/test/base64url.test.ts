import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isCanonicalSpelling } from '../src/base64url.ts'
import { decodeBase64url, encodeBase64url } from '../src/index.ts'

test('encodes without padding, in the URL alphabet', () => {
  expect(encodeBase64url(Uint8Array.of(0xfb, 0xff, 0xfe, 1))).toBe('-__-AQ')
  expect(decodeBase64url('-__-AQ')).toEqual(Buffer.of(0xfb, 0xff, 0xfe, 1))
})

test('decoding returns what was encoded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(Uint8Array.from(decodeBase64url(encodeBase64url(bytes)) ?? [])).toEqual(
        Uint8Array.from(bytes),
      )
    }),
  )
})

test('encodes only the view, not the larger buffer behind it', () => {
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

test('refuses values that are not strings', () => {
  expect(decodeBase64url(undefined as never)).toBeUndefined()
})

test('counting the decoded bytes rejects the same spellings as encoding them again', () => {
  const piece = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...alphabet) },
    fc.constantFrom('=', '+', '/', ' ', '\n', '\0', '.', '~', '\u007F'),
  )
  let canonical = 0
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const text = pieces.join('')
      const expected = decodeBase64url(text) !== undefined
      const byteCount = Buffer.alloc(64).write(text, 'base64url')
      if (expected) canonical++
      expect(isCanonicalSpelling(text, byteCount)).toBe(expected)
    }),
    { numRuns: 20_000 },
  )
  expect(canonical).toBeGreaterThan(1000)
})
