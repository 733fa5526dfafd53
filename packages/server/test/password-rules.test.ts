import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { readCommonPasswords } from '../src/accounts/common-passwords.ts'
import { checkNewPassword, type PasswordContext } from '../src/accounts/password-rules.ts'
import { countFreeChars, repeatedPartOf } from '../src/accounts/predictable.ts'
import { query } from './support/database.ts'
import { openTestSessions } from './support/sessions.ts'

const CONTEXT: PasswordContext = { username: 'alice', publicUrl: 'https://login.shop.test:8443/x' }

const codeOf = (password: string, context: Partial<PasswordContext> = {}): string | undefined =>
  checkNewPassword(password, { ...CONTEXT, ...context })?.code

describe('the form of a new password', () => {
  const various = (bytes: number): string => {
    const words = Array.from({ length: 1_000 }, (_, n) => (n * n * 7_919).toString(36)).join(' ')
    return words.slice(0, bytes)
  }
  test.each([
    ['eleven characters', 'elevenchars', 'password_too_short'],
    ['twelve characters', 'twelve chars', undefined],
    ['twelve characters outside the basic plane', '😀🐎🔋🗿🌵🎻🧲🚲🪁🥝🦉🧭', undefined],
    ['eleven of those, in 22 units', '😀🐎🔋🗿🌵🎻🧲🚲🪁🥝🦉', 'password_too_short'],
    ['4,096 bytes', various(4_096), undefined],
    ['4,097 bytes', various(4_097), 'password_too_long'],
    ['4,098 bytes in 2,049 characters', 'é'.repeat(2_049), 'password_too_long'],
    ['a space at the end', 'a long password ', 'password_malformed'],
    ['a line break at the end', 'a long password\n', 'password_malformed'],
    ['a NUL', 'a long\0password', 'password_malformed'],
    ['half a character', 'a long \ud800 password', 'password_malformed'],
    ['one character that folds to eighteen', '\ufdfa'.repeat(1_365), 'password_common'],
  ])('of %s', (_, password, code) => {
    expect(codeOf(password)).toBe(code)
  })

  test('has a minimum that the caller sets', () => {
    expect(codeOf('gW7-pq2R')).toBe('password_too_short')
    expect(codeOf('gW7-pq2R', { charsMin: 8 })).toBeUndefined()
    expect(codeOf('gW7-pq2', { charsMin: 8 })).toBe('password_too_short')
    expect(codeOf('trustno1', { charsMin: 8 })).toBe('password_common')
    expect(codeOf('kqz-kqz-kqz-kqz-kqz', { charsMin: 15 })).toBe('password_common')
  })
})

test.each([
  ['correct horse battery'],
  ['a long test password'],
  ['the new long password'],
  ['only for benchmarks'],
  ['a long passphrase'],
  ['password for a dragon'],
  ['blue monkey dance'],
  ['tall cactus 42'],
  ['ein langer Satz hier'],
  ['пароль от старой почты'],
  ['我的马喜欢吃绿色的苹果和梨'],
  ['Jw8#kQ2!vN5z'],
  ['correcthorsebatterystaple'],
])('%s is accepted', (password) => {
  expect(checkNewPassword(password, CONTEXT)).toBeUndefined()
})

test.each([
  // Entries of the list.
  ['administrator'],
  ['q1w2e3r4t5y6'],
  ['minnesota_hp'],
  // Folded.
  ['AdMiNiStRaToR'],
  ['ａｄｍｉｎｉｓｔｒａｔｏｒ'],
  ['leave me alone'],
  // Decorated.
  ['Password2024'],
  ['Password1234!'],
  ['!!!Password!!!'],
  ['2024-password'],
  ['dragon198412'],
  ['trustno1 / 2024'],
  ['monkey 24121984'],
  ['passwordpassword'],
  ['Password Password 1'],
  ['P@ssw0rd1234!'],
  ['p4$$w0rd-2024'],
  // Repetitions and sequences.
  ['aaaaaaaaaaaa'],
  ['😀'.repeat(12)],
  ['abcabcabcabc'],
  ['x7k9qp-x7k9qp'],
  ['la la la la la la'],
  ['123456789012'],
  ['０１２３４５６７８９０１'],
  ['098765432109'],
  ['qwertyuiopas'],
  ['QWERTZUIOPAS'],
  ['azertyuiopqs'],
  ['йцукенгшщзхъ'],
  ['абвгдежзийкл'],
  ['zyxwvutsrqpo'],
  ['1qaz2wsx3edc'],
  ['!@#$%^&*()_+'],
  ['aaaabbbbcccc'],
  ['abc123def456ghi789'],
])('%s is rejected as common', (password) => {
  expect(codeOf(password)).toBe('password_common')
})

test.each([
  ['the username', 'alexandra-1', 'Alexandra+Alexandra 1', 'password_contains_username'],
  ['the username with a year', 'alexandra', 'Alexandra 1984', 'password_contains_username'],
  ['the username with a date', 'alexandra', '24121984alexandra', 'password_contains_username'],
  ['the username in signs', 'waldemarus', 'W4ld3m4ru$!!', 'password_contains_username'],
  ['the username and a common one', 'wibble', 'wibble-dragon1', 'password_contains_username'],
  ['a whole address', 'jo.bloggs@mail.test', 'Jo.Bloggs@Mail.test', 'password_contains_username'],
  ['parts of an address', 'jo.bloggs@mail.test', 'bloggs mail 77', 'password_contains_username'],
  ['the product', 'bob', 'CounterSign!1', 'password_contains_username'],
  ['the product and a common one', 'bob', 'countersign-admin', 'password_contains_username'],
  ['the host', 'bob', 'login.shop.test', 'password_contains_username'],
  ['the username among words', 'bob', 'another password for bob', undefined],
  ['a username of two letters', 'an', 'an oak and an elm', undefined],
])('a password of %s', (_, username, password, code) => {
  expect(codeOf(password, { username })).toBe(code)
})

test('no text contains the password, the username or the host', () => {
  for (const password of [
    'brief',
    'x'.repeat(5_000),
    'alicealice12',
    'administrator',
    ' a b c d e f',
  ]) {
    const problem = checkNewPassword(password, CONTEXT)
    expect(problem?.text).toMatch(/^[A-Z][^\n]+\.$/)
    for (const secret of [password, 'alice', 'shop']) expect(problem?.text).not.toContain(secret)
  }
})

describe('properties', () => {
  // Base32 of some bytes, as a password manager might make it.
  const random = fc
    .uint8Array({ minLength: 12, maxLength: 40 })
    .map((bytes) =>
      [...bytes].map((byte) => 'abcdefghijkmnpqrstuvwxyz23456789'[byte % 32]).join(''),
    )

  test('every entry of the list is rejected, also when decoration makes it long enough', () => {
    const entries = [
      'letmein',
      'sunshine',
      'iloveyou',
      'princess',
      'football',
      'trustno1',
      'ghbdtn',
    ]
    const digits = fc.stringMatching(/^\d{0,8}$/)
    const signs = fc.stringMatching(/^[-!.,_ ]{5}$/)
    fc.assert(
      fc.property(
        fc.constantFrom(...entries),
        digits,
        signs,
        fc.boolean(),
        (entry, n, sign, up) => {
          const word = up ? entry.toUpperCase() : entry
          const password = `${word}${sign}${n}#`
          expect(codeOf(password)).toBe(
            password.length < 12 ? 'password_too_short' : 'password_common',
          )
        },
      ),
    )
  })

  test('random passwords are almost never rejected', () => {
    const passwords = fc.sample(random, { numRuns: 300, seed: 7 })
    expect(passwords.filter((password) => new Set(password).size > 6 && codeOf(password))).toEqual(
      [],
    )
  })

  test('finds the repeated part of every repetition', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 2, max: 5 }), (part, times) => {
        const text = part.repeat(times)
        const found = repeatedPartOf(text)
        expect(found.length).toBeLessThanOrEqual(part.length)
        expect(found.repeat(Math.ceil(text.length / found.length)).startsWith(text)).toBe(true)
      }),
    )
  })

  test('a text has at most as many free characters as characters, and a run has one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(countFreeChars(text)).toBeLessThanOrEqual([...text].length)
      }),
    )
    for (const run of ['aaa', 'abcdef', '7654', 'qwertyuiop', 'lkjh'])
      expect(countFreeChars(run)).toBe(1)
    expect(countFreeChars('abx')).toBe(3)
  })
})

test('the longest password of the most expensive characters is checked quickly', async ({
  annotate,
}) => {
  const hostile = [
    `${'\u0301\u0316'.repeat(1_020)}wdkxmvqpz`,
    '\ufdfa'.repeat(1_365),
    `${'ab'.repeat(2_000)}c`,
    `${'alice'.repeat(800)}wmqtxd`,
    `q${' '.repeat(4_000)}wmqtxdnvba`,
    `q${'1 '.repeat(2_000)}wmqtxdnvba`,
  ]
  for (const password of hostile) {
    const before = performance.now()
    checkNewPassword(password, CONTEXT)
    await annotate(`${(performance.now() - before).toFixed(1)} ms`)
  }
})

test('the list is found, and matches only its own entries', () => {
  const isCommon = readCommonPasswords()
  expect(['123456', 'trustno1', 'minnesota_hp'].filter((text) => !isCommon(text))).toEqual([])
  // The list is JSON. Texts across two entries are not entries.
  expect(['', '","', '123456","password', '"123456"', '[', 'zwqkvj'].filter(isCommon)).toEqual([])
})

// PWD-05: all ways to set a password. The first admin account uses `create`.
test('P09 every way to set a password rejects a common one and stores nothing', async () => {
  await using it = await openTestSessions()
  const { accounts, dataDir } = it
  const common = { username: 'bob', password: 'administrator' }
  expect(await accounts.create(common, 'test')).toEqual({
    ok: false,
    code: 'password_common',
    text: 'This password is among the most common ones. Choose another.',
  })
  expect(query(dataDir, 'SELECT 1 FROM accounts')).toEqual([])

  const good = await accounts.create(
    { username: 'Bobbington', password: 'correct horse battery' },
    'test',
  )
  expect(good.ok).toBe(true)
  const before = query(dataDir, 'SELECT password_hash FROM accounts')
  expect(await accounts.setPassword('bobbington', 'administrator', 'test')).toMatchObject({
    code: 'password_common',
  })
  expect(await accounts.setPassword('bobbington', 'bobbington-1', 'test')).toMatchObject({
    code: 'password_contains_username',
  })
  expect(await accounts.setPassword('nobody', 'correct horse battery', 'test')).toMatchObject({
    code: 'account_unknown',
  })
  expect(query(dataDir, 'SELECT password_hash FROM accounts')).toEqual(before)
})
