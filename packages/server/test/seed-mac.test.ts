import { createHmac } from 'node:crypto'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { seedMac } from '../src/sessions/seed-mac.ts'

test('is HMAC-SHA256: RFC 4231 test case 2', () => {
  expect(seedMac(Buffer.from('Jefe'), 'what do ya want for nothing?')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
})

test('agrees with node:crypto for every seed and text', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.string({ unit: 'binary-ascii', maxLength: 64 }),
      (seed, text) => {
        expect(seedMac(seed, text)).toBe(createHmac('sha256', seed).update(text).digest('hex'))
      },
    ),
  )
})

test('refuses what does not fit', () => {
  expect(() => seedMac(Buffer.alloc(65), '')).toThrow(RangeError)
  expect(() => seedMac(Buffer.alloc(16), 'x'.repeat(65))).toThrow(RangeError)
})
