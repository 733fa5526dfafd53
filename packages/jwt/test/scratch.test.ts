import { expect, test } from 'vitest'
import { asciiBytes, signingInput } from '../src/scratch.ts'

test('returns the bytes of ASCII text, up to the given length', () => {
  expect(Buffer.from(asciiBytes('abc', 2) ?? []).toString()).toBe('ab')
})

// Near the end of the buffer, a text could be cut to as many bytes as it has characters.
test.each([1, 10, 8190, 8191, 8192, 8193, 20_000])(
  'refuses text of %i characters that is not ASCII',
  (length) => {
    for (const strange of ['\u0141', 'é', '\uD800', '\uFFFD']) {
      for (const at of [0, Math.floor(length / 2), length - 1]) {
        const text = 'a'.repeat(at) + strange + 'a'.repeat(length - at - 1)
        expect(asciiBytes(text, length)).toBeUndefined()
      }
    }
  },
)

test.each([1, 9000])(
  'both parts of a signing input must be ASCII, with %i characters',
  (length) => {
    const ascii = 'a'.repeat(length)
    expect(Buffer.from(signingInput(ascii, 'b')).toString()).toBe(`${ascii}.b`)
    for (const strange of ['\u0141', 'é', '\uFFFD']) {
      const text = ascii.slice(1) + strange
      expect(() => signingInput(text, 'b')).toThrow('Only ASCII text can be signed.')
      expect(() => signingInput('b', text)).toThrow('Only ASCII text can be signed.')
    }
  },
)

test.each([8188, 8189, 8192, 8193])('ASCII text of %i characters is read', (length) => {
  expect(asciiBytes('a'.repeat(length), length)).toHaveLength(length)
})

test('long ASCII text is read too', () => {
  expect(asciiBytes('a'.repeat(20_000), 19_999)).toHaveLength(19_999)
})
