import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { hasUnusualCharacter, mixesScripts, readsAsAscii } from '../src/accounts/confusables.ts'
import { checkUsername, usernameKey } from '../src/accounts/usernames.ts'
import { PASSWORD } from './support/authority.ts'
import { openTestSessions } from './support/sessions.ts'
import { isLong } from './support/long.ts'

const NOBODY = '\0'
const codeOf = (username: string): string | undefined => checkUsername(username)?.code

describe('spellings of one name', () => {
  test.each([
    ['case', 'alice', ['ALICE', 'Alice', 'aLiCe']],
    ['width', 'alice', ['ａｌｉｃｅ', 'ＡＬＩＣＥ']],
    ['composition', 'zoë', ['zoe\u0308', 'ZOE\u0308', 'Zoë']],
    ['compatibility', 'file', ['ﬁle', 'ﬁLE', '𝐟𝐢𝐥𝐞', 'ⓕⓘⓛⓔ']],
    ['a long s and a Kelvin sign', 'skies', ['\u017f\u212aies']],
    ['an eszett', 'strasse', ['straße', 'STRASSE', 'STRAẞE']],
    ['a final sigma', 'οδυσσευσ', ['οδυσσευς', 'ΟΔΥΣΣΕΥΣ']],
    [
      'an address',
      'alice@example.com',
      ['Alice@Example.COM', 'alice＠example.com', 'ALICE﹫EXAMPLE．COM'],
    ],
    [
      'an address with a domain of its script',
      'jo@xn--bcher-kva.test',
      ['jo@bücher.test', 'Jo@BÜCHER.test', 'jo@bu\u0308cher.TEST', 'jo@XN--BCHER-KVA.test'],
    ],
  ])('%s', (_, username, spellings) => {
    const key = usernameKey(username)
    expect(key).not.toBe(NOBODY)
    for (const spelling of spellings)
      expect([spelling, usernameKey(spelling)]).toEqual([spelling, key])
  })

  test('are one account', async () => {
    await using it = await openTestSessions()
    const create = (username: string): Promise<unknown> =>
      it.accounts.create({ username, password: PASSWORD }, 'test')
    expect(await create('Alice@Example.com')).toMatchObject({ ok: true })
    expect(await create('alice＠EXAMPLE.com')).toMatchObject({ ok: false, code: 'username_taken' })
    expect(await it.accounts.find('ALICE@example.COM')).toMatchObject({
      username: 'Alice@Example.com',
    })
  })

  test('addresses whose domains differ in DNS are two accounts', () => {
    expect(usernameKey('jo@faß.test')).toBe('jo@xn--fa-hia.test')
    expect(usernameKey('jo@fass.test')).toBe('jo@fass.test')
  })
})

test.each([
  ['alice'],
  ['a'],
  ['user_1.x-y+z'],
  ['Alice Liddell'],
  ['zoë'],
  ['Łukasz'],
  ['ışık'],
  ['IŞIK'],
  ['Άννα'],
  ['søren'],
  ['đorđe'],
  ['владимир'],
  ['Роман'],
  ['Ελένη'],
  ['Արամ'],
  ['יוסי'],
  ['محمد'],
  ['अनुष्का'],
  ['ยุพิน'],
  ['ニコラス'],
  ['山田たろうX'],
  ['김철수'],
  ['金abc철수'],
  ['ㄅㄆ王a'],
  ['user😀'],
  ['вася@example.com'],
  ['山田@example.co.jp'],
  ['jo@почта.рф'],
  ["o'hara+tag@example.com"],
  ['jo@localhost'],
  ['x'.repeat(150)],
  [`${'l'.repeat(64)}@example.com`],
  [`jo@${'d'.repeat(63)}.test`],
  // Names in many languages, with the letters and signs that only few languages have.
  ['Ọláìyá Ẹ̀gbà'],
  ['Nguyễn Thị Ngọc'],
  ['Ƙwanƙwaso'],
  ['ǃXóõ'],
  ['Ɔkyerɛ'],
  ['Əliyev'],
  ['Þórður Ægisson'],
  ['Dvořák'],
  ['Şükrü'],
  ['Coŀlectiva Marcel·lí'],
  ['Ñandúty'],
  ['Jean-Noël'],
  ['Юрий'],
  ['Зоя'],
  ['Мария-Анна'],
  ['Ђорђе'],
  ['Їжакевич'],
  ['Ғабит'],
  ['Ἀριστοτέλης'],
  ['Γιώργος Παπαδόπουλος'],
  ['Նարեկ'],
  ['გიორგი'],
  ['צ׳רלי'],
  ['שָׁלוֹם'],
  ['مُحَمَّد'],
  ['فاطمه'],
  ['کیوان'],
  ['ژیلا'],
  ['ਗੁਰਪ੍ਰੀਤ'],
  ['প্রিয়াঙ্কা'],
  ['தமிழ்ச்செல்வி'],
  ['ശ്രീജിത്ത്'],
  ['සුනිල්'],
  ['ສົມສັກ'],
  ['မောင်မောင်'],
  ['សុខា'],
  ['བསྟན་འཛིན'],
  ['አበበ'],
  ['マリア・ルス'],
  ['さとう 花子'],
  ['佐々木'],
  ['長谷川ゆう子'],
  ['이영희'],
  ['ᏣᎳᎩ'],
  ['ᐃᓄᒃ'],
  ['ܐܒܪܗܡ'],
  ['🐢 Leo'],
])('%s is accepted', (username) => {
  expect(checkUsername(username)).toBeUndefined()
  expect(usernameKey(username)).not.toBe(NOBODY)
})

test.each([
  ['nothing', ''],
  ['a space at its beginning', ' alice'],
  ['a space at its end', 'alice\u2003'],
  ['a space at its beginning after folding', '\u00b4alice'],
  ['two spaces in a row', 'al  ice'],
  ['two spaces in a row after folding', 'al\u00a0 ice'],
  ['half a character', 'a\ud800'],
  ['a line break', 'alice\r\nBcc: bob'],
  ['a zero-width space', 'da\u200bve'],
  ['a right-to-left override', 'da\u202eve'],
  ['a soft hyphen', 'da\u00adve'],
  ['a variation selector', 'dave\ufe0f'],
  ['a combining grapheme joiner', 'da\u034fve'],
  ['a Hangul filler', 'dave\u3164'],
  ['a blank of Braille', 'dave\u2800'],
  ['an unassigned character', 'dave\u0378'],
  ['an "@" alone', '@'],
  ['no local part', '@example.com'],
  ['no domain', 'alice@'],
  ['two "@"', 'alice@bob@example.com'],
  ['two "@", one of them wide', 'alice＠bob@example.com'],
  ['a display name', 'Alice <alice@example.com>'],
  ['two addresses', 'alice@example.com,bob@example.com'],
  ['two addresses, the comma wide', 'alice，bob@example.com'],
  ['a quoted local part', '"alice"@example.com'],
  ['a space in its local part', 'alice l@example.com'],
  ['two dots in its local part', 'alice..l@example.com'],
  ['a dot at the end of its local part', 'alice.@example.com'],
  ['a header in its local part', 'alice\r\nTo:bob@example.com'],
  ['a comment', 'alice(bob)@example.com'],
  ['a local part of 65 bytes', `${'l'.repeat(65)}@example.com`],
  ['a local part of 66 bytes in 33 characters', `${'é'.repeat(33)}@example.com`],
  ['a label of 64 characters', `alice@${'d'.repeat(64)}.test`],
  ['an empty label', 'alice@example..com'],
  ['a dot at the end of its domain', 'alice@example.com.'],
  ['a hyphen at the end of a label', 'alice@example-.com'],
  ['an escaped domain', 'alice@ex%61mple.com'],
  ['a domain with a port', 'alice@example.com:25'],
  ['a domain with a path', 'alice@example.com/x'],
  ['a domain with an underscore', 'alice@ex_ample.com'],
  ['a literal address', 'alice@[127.0.0.1]'],
  ['an address of IP', 'alice@127.0.0.1'],
  ['an address of IP in short', 'alice@0x7f.1'],
  ['a domain that is no IDN', 'alice@xn--a.test'],
  ['a domain that decodes to nothing', 'alice@xn--.test'],
  ['a domain that decodes to an invalid domain', 'alice@xn--a-ecp.test'],
])('a name with %s is invalid, and no account has it', (_, username) => {
  expect(codeOf(username)).toBe('username_invalid')
  expect(usernameKey(username)).toBe(NOBODY)
})

test.each([
  ['151 characters', 'x'.repeat(151)],
  ['151 characters after folding', 'ß'.repeat(76)],
  ['2,700 characters after folding', 'ﷺ'.repeat(150)],
  [
    'a domain that is longer in ASCII',
    `jo@${'例'.repeat(20)}.${'例え'.repeat(12)}.${'え'.repeat(50)}.${'い'.repeat(50)}`,
  ],
])('a name of %s is too long, and no account has it', (_, username) => {
  expect(codeOf(username)).toBe('username_too_long')
  expect(usernameKey(username)).toBe(NOBODY)
})

test.each([
  ['one Cyrillic letter in Latin', 'аdmin'],
  ['one Greek letter in Latin', 'αdmin'],
  ['one Cherokee letter in Latin', 'Ꭺdmin'],
  ['Cyrillic and Greek', 'аβв'],
  ['Han and Cyrillic', '山а'],
  ['Bopomofo and Hangul', 'ㄅ김'],
  ['a historic script', '𐌀𐌁𐌂'],
  ['Arabic digits in Latin', 'user٣'],
  ['all Cyrillic, small', 'аре'],
  ['all Cyrillic, capitals', 'ТОМ'],
  ['all Cyrillic, with digits', 'сосо77'],
  ['a dotless i', 'mıke'],
  ['a dotless i in an address', 'mıke@example.com'],
  ['all Greek', 'ΤΟΜ'],
  ['all Armenian', 'սոօ'],
  ['all Cherokee', 'ᎪᎡᎬ'],
  ['all Lisu', 'ꓐꓳꓐ'],
  ['a Latin letter that looks like another', 'ɡoogle'],
  ['a small capital', 'rᴏᴏt'],
  ['another hyphen', 'alice‐smith'],
  ['another apostrophe', 'o’hara'],
  ['the zero of Han', 'g〇〇gle'],
  ['a small capital in front', 'ᴀdmin'],
  ['another small capital', 'ʀoot'],
  ['only small capitals', 'ᴀᴅᴍɪɴ'],
  ['an underline that combines', 'a\u0332dmin'],
  ['underlines that combine', 'a\u0332d\u0332m\u0332i\u0332n\u0332'],
  ['a stroke that combines', 'a\u0336dmin'],
  ['a slash that combines', 'adm\u0338in'],
  ['an enclosing circle', 'a\u20dddmin'],
  ['a middle dot at its end', 'admin·'],
  ['a middle dot', 'ad·min'],
  ['a hyphenation point', 'ad‧min'],
  ['a katakana dot', 'admin・'],
  ['a Hebrew quote', 'admin׳'],
  ['a bullet', 'admin∙'],
  ['an ellipsis of the middle', 'admin⋯'],
  ['an accent of its own', 'admin\u02d9'],
  ['a modifier letter', 'adminˑ'],
  ['a click letter', 'ǀisa'],
  ['an insular letter', 'ꝺave'],
  ['a turned letter', 'ɐdmin'],
  ['a hooked letter', 'ʂally'],
  ['a line in a box', 'admin│'],
  ['a dash', 'alice–smith'],
  ['the minus of mathematics', 'alice−smith'],
  ['a letter as an emoji', '🅰dmin'],
  ['the letters of flags', '🇦🇩🇲🇮🇳'],
  ['the minus of emoji', 'alice➖smith'],
  ['the same mark twice', 'e\u0301\u0301va'],
  ['the same mark twice, one composed', 'é\u0301va'],
  ['five marks', 'e\u0300\u0301\u0302\u0303\u0304'],
  ['a mark on a digit', '1\u0301'],
  ['a mark in front', '\u0301alice'],
  ['a currency', 'alice€'],
  ['a small capital in a local part', 'ᴀdmin@example.com'],
  ['a small capital in a domain', 'admin@exᴀmple.com'],
  ['one Cyrillic letter in a local part', 'аdmin@example.com'],
  ['a Cyrillic local part', 'аре@example.com'],
  ['one Cyrillic letter in a domain', 'admin@exаmple.com'],
  ['a Cyrillic label', 'admin@аррӏе.com'],
  ['the same label in ASCII', 'admin@xn--80ak6aa92e.com'],
])('a name of %s is confusable', (_, username) => {
  expect(codeOf(username)).toBe('username_confusable')
})

describe('properties', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.emailAddress(),
    // Most characters are relevant to the rules.
    fc.string({
      unit: fc.constantFrom(
        ...'aAßẞıİiςσΣκаАⅠ＠@.-．。 \u00a0\u0301\u0345\u0390ŉﷺ\u200b\ud800,<é1x%',
      ),
      maxLength: 160,
    }),
    fc
      .tuple(fc.stringMatching(/^[a-zß]{1,5}$/), fc.string({ unit: 'grapheme', maxLength: 12 }))
      .map(([local, domain]) => `${local}@${domain}`),
  )

  test('the key of a key is the same key', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const key = usernameKey(name)
        expect(usernameKey(key)).toBe(key)
      }),
      { numRuns: 2_000 },
    )
  })

  test('case, width and composition do not change the key', () => {
    const plain = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((it) => !/[@＠﹫ı]/.test(it))
    fc.assert(
      fc.property(plain, (name) => {
        const key = usernameKey(name)
        for (const spelling of spellingsOf(name)) expect(usernameKey(spelling)).toBe(key)
      }),
      { numRuns: 2_000 },
    )
  })

  test('case and width do not change the key of any single character, except the dotless i', () => {
    const wrong: string[] = []
    // The planes above the second have ideographs, tags and private characters, which have no case.
    const last = isLong ? 0x10ffff : 0x1ffff
    for (let code = 0; code <= last; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue
      const name = `a${String.fromCodePoint(code)}`
      const key = usernameKey(name)
      if (key === NOBODY) continue
      if (name.includes('@') || key.includes('@')) continue
      if (spellingsOf(name).some((spelling) => usernameKey(spelling) !== key)) wrong.push(name)
    }
    expect(wrong).toEqual(['aı'])
  })

  test('case and width do not change the key of an address', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        const key = usernameKey(address)
        const wide = address.replace(/[!-~]/g, (char) =>
          String.fromCharCode(char.charCodeAt(0) + 0xfee0),
        )
        for (const spelling of [address.toUpperCase(), address.toLowerCase(), wide]) {
          expect(usernameKey(spelling)).toBe(key)
        }
      }),
    )
  })

  test('an invalid or too long name has the key that no account has, and a valid name does not', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const code = codeOf(name)
        const isNobodys = usernameKey(name) === NOBODY
        if (code !== 'username_confusable') expect(isNobodys).toBe(code !== undefined)
        else expect(isNobodys).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a name that is rejected at creation has no account', async () => {
    await using it = await openTestSessions()
    await fc.assert(
      fc.asyncProperty(anyName, async (username) => {
        const before = await it.accounts.find(username)
        const created = await it.accounts.create({ username, password: PASSWORD }, 'test')
        const found = await it.accounts.find(username)
        if (created.ok) expect(found).toEqual(created.value)
        else expect(found).toEqual(created.code === 'username_taken' ? before : undefined)
      }),
      { numRuns: 500 },
    )
  })
})

test('the dotless i is a different letter, also in e-mail addresses', () => {
  expect(usernameKey('mıke@example.com')).not.toBe(usernameKey('mike@example.com'))
  expect(usernameKey('mike@gıthub.com')).not.toBe(usernameKey('mike@github.com'))
})

/** Text of the same letters, as another keyboard or program might send them. */
function spellingsOf(name: string): string[] {
  const spellings = [name.toUpperCase(), name.toLowerCase()]
  return (
    [
      ...spellings,
      ...[name, ...spellings].flatMap((it) => [
        it.normalize('NFC'),
        it.normalize('NFD'),
        it.normalize('NFKD'),
      ]),
    ]
      // The decomposed form may exceed the length limit.
      .filter((spelling) => spelling.length <= 150)
  )
}

test('hostile names of 16 KiB cost no more than short ones', async ({ annotate }) => {
  const hostile = [
    '\u0301\u0316'.repeat(8_192),
    'a@'.repeat(8_192),
    'ﷺ'.repeat(5_461),
    `a@${'例.'.repeat(5_000)}`,
  ]
  for (const name of hostile) {
    const before = performance.now()
    expect(usernameKey(name)).toBe(NOBODY)
    await annotate(`${(performance.now() - before).toFixed(2)} ms`)
  }
})

test('the rules of confusable names work on their own', () => {
  expect(hasUnusualCharacter('')).toBe(false)
  expect(hasUnusualCharacter('alice ~!')).toBe(false)
  expect(mixesScripts('')).toBe(false)
  expect(mixesScripts('123 -_')).toBe(false)
  expect(readsAsAscii('')).toBe(false)
  expect(readsAsAscii('alice')).toBe(false)
  expect(readsAsAscii('москва')).toBe(false)
})
