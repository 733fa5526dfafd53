import { createPublicKey, type KeyObject } from 'node:crypto'
import { expect, test } from 'vitest'
import { decodeElements, encodeElement, tags } from '../src/key/der.ts'
import { keyObjectFor } from './tokens.ts'

// X.690 §8.1.3: a length below 128 takes one byte. Other lengths take as few bytes as possible, after one
// byte with their number.
test.each([
  [0, '0400'],
  [1, '0401'],
  [127, '047f'],
  [128, '048180'],
  [255, '0481ff'],
  [256, '04820100'],
  [65_535, '0482ffff'],
  [65_536, '0483010000'],
])('an element of %i bytes begins with %s, and is read again', (bytes, start) => {
  const content = Buffer.alloc(bytes, 7)
  const element = encodeElement(tags.octetString, content)
  expect(element.toString('hex')).toBe(start + content.toString('hex'))
  expect(decodeElements(element)).toEqual([content])
  expect(decodeElements(Buffer.concat([element, encodeElement(tags.integer), element]))).toEqual([
    content,
    Buffer.alloc(0),
    content,
  ])
})

test('parts are written one after the other', () => {
  const parts = [Buffer.of(1), Buffer.of(2, 3)]
  expect(encodeElement(tags.sequence, ...parts)).toEqual(Buffer.of(0x30, 3, 1, 2, 3))
})

test('the encoding equals that of OpenSSL', () => {
  const key = createPublicKey(keyObjectFor('RS256') as KeyObject)
  const spki = key.export({ format: 'der', type: 'spki' })
  const [content = Buffer.alloc(0)] = decodeElements(spki)
  const [algorithm = Buffer.alloc(0), bits = Buffer.alloc(0)] = decodeElements(content)
  const parts = [encodeElement(tags.sequence, algorithm), encodeElement(tags.bitString, bits)]
  expect(encodeElement(tags.sequence, ...parts)).toEqual(spki)
})

test('an element that ends before its length is an error', () => {
  for (const hex of ['30', '3082', '308201']) {
    expect(() => decodeElements(Buffer.from(hex, 'hex'))).toThrow(RangeError)
  }
})
