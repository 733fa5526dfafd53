import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accessCookieName, COOKIES_CHARS_MAX, readCookie } from '../../src/request/cookies.ts'

const NAME = '__Host-cs_access'
const found = (value: string) => ({ kind: 'found', value })
const absent = { kind: 'absent' }
const repeated = { kind: 'repeated' }

describe('the Cookie header', () => {
  test('contains a cookie with a name', () => {
    expect(readCookie([`theme=dark; ${NAME}=abc.def.ghi; lang=en`], NAME)).toEqual(
      found('abc.def.ghi'),
    )
    expect(readCookie([], NAME)).toEqual(absent)
  })

  test.each<[header: string, value: string]>([
    [`${NAME}=x`, 'x'],
    [`${NAME}=`, ''],
    [` \t ${NAME}=x \t `, 'x'],
    [`a=1;${NAME}=x;b=2`, 'x'],
    [`;;; ;${NAME}=x;;`, 'x'],
    [`${NAME}=x=y==`, 'x=y=='],
    [`${NAME}="x"`, '"x"'],
    [`${NAME}=%41`, '%41'],
    [`${NAME}= x`, ' x'],
    [`${NAME}=a, ${NAME}=b`, `a, ${NAME}=b`],
    [`a="; ${NAME}=x; b="`, 'x'],
    [`$Version=1; ${NAME}=x`, 'x'],
    [`${NAME}=x\u00a0`, 'x\u00a0'],
  ])('%j: the value is %j', (header, value) => {
    expect(readCookie([header], NAME)).toEqual(found(value))
  })

  test.each([
    '',
    ';',
    'theme=dark',
    NAME,
    `=${NAME}=x`,
    ` =${NAME}=x`,
    `==${NAME}=x`,
    `=${NAME}`,
    '=x',
    `${NAME} =x`,
    `${NAME}\t=x`,
    `\u00a0${NAME}=x`,
    `"${NAME}"=x`,
    'cs_access=x',
    '__Secure-cs_access=x',
    '__host-cs_access=x',
    '__HOST-cs_access=x',
    '__Host-CS_ACCESS=x',
    '__Host-cs_access2=x',
    'x__Host-cs_access=x',
    '%5F_Host-cs_access=x',
    `a=${NAME}=x`,
    `a="${NAME}=x"`,
    `a=1, ${NAME}=x`,
  ])('%j: the cookie is absent', (header) => {
    expect(readCookie([header], NAME)).toEqual(absent)
  })

  test('a cookie without a name is never found', () => {
    expect(readCookie(['=x; y'], '')).toEqual(absent)
  })

  test.each<[headers: readonly string[]]>([
    [[`${NAME}=a; ${NAME}=b`]],
    [[`${NAME}=a; ${NAME}=a`]],
    [[`${NAME}=a; x=1;${NAME}=`]],
    [[`${NAME}=a`, `${NAME}=b`]],
    [[`${NAME}=a`, 'x=1', `y=1; ${NAME}=a`]],
  ])('%j: a repeated name is reported, in either order', (headers) => {
    expect(readCookie(headers, NAME)).toEqual(repeated)
    expect(readCookie(headers.toReversed(), NAME)).toEqual(repeated)
  })

  test('several headers are read as one list', () => {
    expect(readCookie(['a=1', `${NAME}=x`, 'b=2'], NAME)).toEqual(found('x'))
  })

  test('300 other cookies change nothing', () => {
    const pairs = Array.from({ length: 300 }, (_, n) => `cookie_number_${n}=value`)
    expect(readCookie([pairs.toSpliced(150, 0, `${NAME}=x`).join('; ')], NAME)).toEqual(found('x'))
    expect(readCookie([pairs.join('; ')], NAME)).toEqual(absent)
  })

  test('16 KiB are read and no more, in one header or in many', () => {
    const cookie = `${NAME}=x; a=`
    const full = cookie.padEnd(COOKIES_CHARS_MAX, 'y')
    expect(readCookie([full], NAME)).toEqual(found('x'))
    expect(readCookie([`${full}y`], NAME)).toEqual({ kind: 'too_large' })
    expect(readCookie([full, 'y'], NAME)).toEqual({ kind: 'too_large' })
  })

  test('among any other text, one cookie is found and two are reported', () => {
    const word = fc.stringMatching(/^[\w!#$%&'*+.^`|~-]{1,10}$/).filter((name) => name !== NAME)
    const value = fc.stringMatching(/^[\w."=, -]{0,12}$/).map((text) => text.trim())
    const other = fc.oneof(
      fc.tuple(word, value).map(([name, text]) => `${name}=${text}`),
      value.map((text) => `=${NAME}=${text}`),
      word,
      fc.constant(''),
    )
    const separator = fc.constantFrom(';', '; ', ' ;\t')
    fc.assert(
      fc.property(fc.array(other), fc.array(other), value, separator, (before, after, text, by) => {
        const pair = `${NAME}=${text}`
        const once = [...before, pair, ...after]
        expect(readCookie([once.join(by)], NAME)).toEqual(found(text))
        expect(readCookie(once, NAME)).toEqual(found(text))
        expect(readCookie([...before, ...after], NAME)).toEqual(absent)
        expect(readCookie([[...once, pair].join(by)], NAME)).toEqual(repeated)
        expect(readCookie([...once, pair], NAME)).toEqual(repeated)
      }),
    )
  })

  test('never makes the reader throw', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (headers) => {
        expect(['found', 'absent', 'repeated']).toContain(readCookie(headers, 'a').kind)
      }),
    )
  })

  test('is read in linear time', () => {
    const start = performance.now()
    for (const filler of ['; ', ' ', '\t', '=', ';', 'a=']) {
      const header = filler.repeat(COOKIES_CHARS_MAX / filler.length)
      for (let i = 0; i < 20; i++) readCookie([header], NAME)
    }
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})

test.each<[issuer: string, domain: boolean, name: string]>([
  ['https://auth.example', false, '__Host-cs_access'],
  ['https://auth.example', true, '__Secure-cs_access'],
  ['http://localhost:8000', false, 'cs_access'],
  ['http://localhost:8000', true, 'cs_access'],
])('the cookie of %s, shared over a domain: %j', (issuer, domain, name) => {
  expect(accessCookieName(issuer, { domain })).toBe(name)
  if (!domain) expect(accessCookieName(issuer)).toBe(name)
})
