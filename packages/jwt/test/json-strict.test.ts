import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonStrict } from '../src/index.ts'

const codeOf = (text: string) => {
  const result = parseJsonStrict(text)
  return result.ok ? 'ok' : result.code
}

test('returns the same value as JSON.parse', () => {
  expect(parseJsonStrict('{"a":[1,{"b":null}]}')).toEqual({
    ok: true,
    value: { a: [1, { b: null }] },
  })
})

describe('refuses', () => {
  test.each([
    ['a duplicate', '{"a":1,"a":2}', 'json_duplicate_member'],
    ['a duplicate with equal values', '{"a":1,"a":1}', 'json_duplicate_member'],
    ['a duplicate written with an escape', '{"sub":1,"s\\u0075b":2}', 'json_duplicate_member'],
    ['a duplicate written with other escapes', '{"/":1,"\\/":2}', 'json_duplicate_member'],
    ['a nested duplicate', '[[{"a":{"b":1,"b":2}}]]', 'json_duplicate_member'],
    ['a duplicate that swallows members', '{"a":{"x":1,"y":2},"a":0}', 'json_duplicate_member'],
    ['a duplicate index', '{"0":1,"0":2}', 'json_duplicate_member'],
    ['a duplicate empty name', '{"":1,"":2}', 'json_duplicate_member'],
    ['a duplicate beside objects that are empty', '[{"":1,"":2},{},{}]', 'json_duplicate_member'],
    ['a duplicate beside false', '[{"":1,"":2},false,false]', 'json_duplicate_member'],
    ['__proto__', '{"__proto__":{}}', 'json_malformed'],
    ['__proto__ written with an escape', '{"\\u005f_proto__":1}', 'json_malformed'],
    ['a nested __proto__', '[{"a":{"__proto__":1}}]', 'json_malformed'],
    ['Infinity', '{"exp":1e400}', 'json_malformed'],
    ['-Infinity in an array', '[-1e999]', 'json_malformed'],
    ['Infinity alone', '1e400', 'json_malformed'],
    ['depth 11', '['.repeat(11) + ']'.repeat(11), 'json_too_deep'],
    ['depth 100,000', '['.repeat(100_000) + ']'.repeat(100_000), 'json_too_deep'],
    ['a byte order mark', '\uFEFF{}', 'json_malformed'],
    ['nothing', '', 'json_malformed'],
    ['an unterminated string', '{"a', 'json_malformed'],
    ['an escape at the end', '"\\', 'json_malformed'],
    ['text after the value', '{} {}', 'json_malformed'],
    ['a trailing comma', '{"a":1,}', 'json_malformed'],
    ['a comment', '{}//', 'json_malformed'],
  ])('%s', (_name, text, code) => {
    expect(codeOf(text)).toBe(code)
  })

  test.each([[undefined], [null], [1], [true], [['1']], [{}]])(
    'a value that is not text: %j',
    (value) => {
      expect(parseJsonStrict(value as never)).toEqual({ ok: false, code: 'json_malformed' })
    },
  )
})

test.each([
  ['equal names in different objects', '{"a":{"a":1},"b":[{"a":1},{"a":1}]}'],
  ['colons, braces and quotes in strings', '{"a:{[":"}]:\\":\\\\"}'],
  ['names that differ in case or normal form', '{"a":1,"A":2,"\\u00e9":3,"e\\u0301":4}'],
  ['names of Object.prototype', '{"constructor":1,"toString":2,"hasOwnProperty":3}'],
  ['depth 10', '['.repeat(10) + ']'.repeat(10)],
  ['twenty brackets and braces that are not nested', ` [${'[],{},'.repeat(10)}0]`],
  ['deep brackets inside a string', `"${'['.repeat(1000)}"`],
  ['white space', ' \n\t{ "a" : 1 }\r\n'],
])('accepts %s', (_name, text) => {
  expect(parseJsonStrict(text)).toEqual({ ok: true, value: JSON.parse(text) })
})

test('limits can be set', () => {
  expect(parseJsonStrict('[[]]', { depthMax: 1 })).toEqual({ ok: false, code: 'json_too_deep' })
  expect(parseJsonStrict('[[]]', { depthMax: 2 }).ok).toBe(true)
  expect(parseJsonStrict('[[]]', { depthMax: 0 })).toEqual({ ok: false, code: 'json_too_deep' })
  expect(parseJsonStrict('[]', { depthMax: 0 })).toEqual({ ok: false, code: 'json_too_deep' })
  expect(parseJsonStrict('0', { depthMax: 0 })).toEqual({ ok: true, value: 0 })
  for (const text of ['[[0]]', '[{}]', '[[]]', '{"":[]}']) {
    expect(parseJsonStrict(text, { depthMax: 1 })).toEqual({ ok: false, code: 'json_too_deep' })
    expect(parseJsonStrict(text, { depthMax: 2 })).toEqual({ ok: true, value: JSON.parse(text) })
  }
  expect(parseJsonStrict('['.repeat(11) + ']'.repeat(11), { depthMax: 11 }).ok).toBe(true)
  expect(parseJsonStrict('[[]]', { sizeMax: 3 })).toEqual({ ok: false, code: 'json_malformed' })
  expect(parseJsonStrict('[[]]', { sizeMax: 4 }).ok).toBe(true)
})

test('agrees with JSON.parse on everything that JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 2), (value, space) => {
      const text = JSON.stringify(value, null, space)
      fc.pre(!text.includes('__proto__'))
      expect(parseJsonStrict(text)).toEqual({ ok: true, value: JSON.parse(text) })
    }),
  )
})

test('refuses everything that JSON.parse refuses, and never throws', () => {
  const fragment = fc.constantFrom('{', '}', '[', ']', ':', ',', '"', '\\', '"a"', '1', 'null', 'x')
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 12 }), (fragments) => {
      const text = fragments.join('')
      let parsed = true
      try {
        JSON.parse(text)
      } catch {
        parsed = false
      }
      const result = parseJsonStrict(text)
      if (!parsed) expect(result.ok).toBe(false)
      else if (!result.ok) expect(result.code).toBe('json_duplicate_member')
    }),
    { numRuns: 2000 },
  )
})

test('finds a second member with the same name anywhere in a document', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), {
    minKeys: 1,
    maxKeys: 6,
  })
  fc.assert(
    fc.property(object, fc.nat(), fc.nat(), fc.boolean(), (value, which, where, escaped) => {
      const names = Object.keys(value)
      const name = names[which % names.length] ?? ''
      const members = names.map((each) => `${JSON.stringify(each)}:${JSON.stringify(value[each])}`)
      const text = `{${members.toSpliced(where % (members.length + 1), 0, `${escaped ? escapeAll(name) : JSON.stringify(name)}:0`).join()}}`
      expect(parseJsonStrict(text).ok).toBe(false)
      expect(parseJsonStrict(`[[${text}]]`).ok).toBe(false)
    }),
  )
})

// Texts that are as short as their value needs are accepted without counting members. So numbers that are
// written shorter than their digits must never make room for a second member.
test('finds a second member next to numbers of any length', () => {
  const digits = fc.integer({ min: 0, max: 9_999_999 }).map(String)
  const number = fc.oneof(
    digits,
    fc
      .tuple(digits, fc.integer({ min: -20, max: 20 }))
      .map(([base, exponent]) => `${base}e${exponent}`),
    fc.tuple(digits, digits).map(([whole, rest]) => `${whole}.${rest}`),
    fc.constantFrom('-0', '1e3', '1E15', '9007199254740991', '9007199254740993', '1e21', '0e9'),
  )
  const value = fc.oneof(
    number,
    fc.constantFrom('""', '"abc"', 'true', 'false', 'null', '[]', '{}', '[1e9,1e9]'),
  )
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 8 }),
      value,
      fc.nat(),
      (values, second, at) => {
        const members = values.map((each, index) => `"m${index}":${each}`)
        const once = `{${members.join()}}`
        expect(parseJsonStrict(once)).toEqual({ ok: true, value: JSON.parse(once) })
        const twice = `{${[...members, `"m${at % values.length}":${second}`].join()}}`
        expect(parseJsonStrict(twice)).toEqual({ ok: false, code: 'json_duplicate_member' })
      },
    ),
    { numRuns: 5000 },
  )
})

function escapeAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`
}
