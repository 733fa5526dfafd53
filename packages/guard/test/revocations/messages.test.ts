import { describe, expect, test } from 'vitest'

import { parseGuardMessage, parseJson } from '../../src/revocations/index.ts'

describe('a message of the feed', () => {
  test('is read, and brackets and quotes inside its strings do not count', () => {
    const text = JSON.stringify({ type: 'keys', tag: '[[[[[[[[[[[[{{"\\"[' })
    expect(parseJson(text)).toEqual(JSON.parse(text))
    expect(parseGuardMessage('{"type":"applied","position":7}')).toEqual({
      type: 'applied',
      position: 7,
    })
  })

  test('is refused without parsing if it is nested too deep', () => {
    expect(parseJson(`${'['.repeat(10)}${']'.repeat(10)}`)).toBeDefined()
    expect(parseJson(`${'['.repeat(11)}${']'.repeat(11)}`)).toBeUndefined()
    expect(parseJson(`{"a":${'{"a":'.repeat(10)}1${'}'.repeat(11)}`)).toBeUndefined()
    expect(parseGuardMessage('['.repeat(8 * 2 ** 20))).toBeUndefined()
  })

  test.each(['', '{', '"\\', '"', 'nul', '[1,]'])('%j is not a message', (text) => {
    expect(parseJson(text)).toBeUndefined()
  })
})
