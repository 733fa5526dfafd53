import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { openAttackedAuthority, type AttackedAuthority } from './support/attacked.ts'
import { PASSWORD, USERNAME } from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { ask, FORM_TYPE, JSON_TYPE, readAnswer, type Answer } from './support/contract.ts'
import { HttpClient } from './support/http-client.ts'
import { startServerProcess } from './support/server-process.ts'

// Group 7.P of docs/attack-catalogue.md: passwords and how often they may be tried. The plain rules of
// throttling are in throttle.test.ts, the statistics of time in long-timing.test.ts.

const RATES = 'source=3/90s,account=6/60m,address=8/80s,device=3/90s'
const NEW_PASSWORD = 'another horse battery'

let it: AttackedAuthority
beforeEach(async () => {
  it = await openAttackedAuthority({ throttle: RATES, signUp: true })
})
afterEach(async () => {
  it.expectUnharmed()
  await it[Symbol.asyncDispose]()
})

/** Counts the addresses, so that each guess comes from a new one. */
let places = 0
const elsewhere = (): string => `198.51.${100 + Math.floor((places += 1) / 250)}.${places % 250}`

async function guess(
  username = USERNAME,
  { address = '192.0.2.1', password = 'wrong' } = {},
): Promise<number> {
  return (await it.post('/api/token/', { username, password }, { address })).status
}

async function create(username: string): Promise<void> {
  const created = await it.authority.accounts.create({ username, password: PASSWORD }, 'test')
  expect(created.ok).toBe(true)
  it.mark()
}

async function logIn(address?: string): Promise<TestBrowser> {
  const browser = new TestBrowser(it, address)
  expect((await browser.login()).status).toBe(200)
  it.mark()
  return browser
}

function copyOf(from: TestBrowser, address: string): TestBrowser {
  const copy = new TestBrowser(it, address)
  for (const [name, value] of from.cookies) copy.cookies.set(name, value)
  copy.csrfToken = from.csrfToken
  return copy
}

test('P01 an unknown account, a wrong password and a disabled account get the same answer', async () => {
  await create('disabled')
  await it.authority.accounts.disable('disabled', 'test')
  it.mark()
  const tries = [
    { username: 'nobody', password: PASSWORD },
    { username: USERNAME, password: 'wrong horse battery' },
    { username: 'disabled', password: PASSWORD },
    { username: 'disabled', password: 'wrong horse battery' },
    { username: 'no\u200bbody', password: PASSWORD },
    { username: 'x'.repeat(400), password: PASSWORD },
    { username: 'a@b', password: 'x'.repeat(5_000) },
  ]
  const byContract: Answer[] = []
  const byCookies: Answer[] = []
  for (const body of tries) {
    const from = { address: elsewhere() }
    byContract.push(await readAnswer(await it.post('/api/token/', body, from)))
    byCookies.push(await new TestBrowser(it, elsewhere()).login(body))
  }
  for (const answers of [byContract, byCookies]) {
    const said = answers.map(({ status, text, headers }) => ({ status, text, head: [...headers] }))
    expect(said[0]?.status).toBe(401)
    for (const each of said) expect(each).toEqual(said[0])
  }
})

describe('P03 one password at many accounts', () => {
  test('from one address', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 30; n += 1) statuses.push(await guess(`user-${n}`))
    expect(statuses.filter((status) => status === 401)).toHaveLength(8)
    expect(statuses.slice(8)).toEqual(Array.from({ length: 22 }, () => 429))
  })

  test('from one IPv6 network, in every spelling', async () => {
    const spellings = (n: number): string =>
      [
        `2001:db8:0:1::${n.toString(16)}`,
        `2001:0DB8:0000:0001::${n.toString(16)}`,
        `2001:db8::1:ffff:ffff:ffff:${n.toString(16)}`,
        `2001:db8:0:1::192.0.2.${n}`,
      ][n % 4]!
    const statuses: number[] = []
    for (let n = 1; n <= 30; n += 1) {
      statuses.push(await guess(`user-${n}`, { address: spellings(n) }))
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(8)
  })

  test('from one IPv4 address, also inside IPv6', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 12; n += 1) {
      const address = [
        '192.0.2.9',
        '::ffff:192.0.2.9',
        '::FFFF:c000:209',
        '0:0:0:0:0:ffff:192.0.2.9',
      ][n % 4]!
      statuses.push(await guess(`user-${n}`, { address }))
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(8)
  })
})

describe('P04 many passwords at one account', () => {
  test('a thousand attempts from a thousand addresses get six checks; the owner still logs in', async () => {
    const phone = await logIn('203.0.113.50')
    const statuses = new Map<number, number>()
    for (let n = 0; n < 1_000; n += 1) {
      const status = await guess(USERNAME, { address: elsewhere(), password: `guess ${n}` })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    expect(Object.fromEntries(statuses)).toEqual({ 401: 6, 429: 994 })
    // Even the right password gets 429, so the attacker does not find it.
    expect(await guess(USERNAME, { address: elsewhere(), password: PASSWORD })).toBe(429)
    const known = copyOf(phone, elsewhere())
    expect((await known.login()).status).toBe(200)
    it.mark()
  })
})

describe('P06 another way to the same account', () => {
  const expectCounted = async (ways: readonly (() => Promise<number>)[]): Promise<void> => {
    const statuses: number[] = []
    for (let n = 0; n < 2 * ways.length + 4; n += 1) statuses.push(await ways[n % ways.length]!())
    expect(statuses.filter((status) => status !== 429)).toEqual([401, 401, 401])
  }
  const wrong = { username: USERNAME, password: 'wrong' }

  test('every endpoint and media type counts together', async () => {
    const browser = new TestBrowser(it)
    const form = `username=${USERNAME}&password=wrong`
    const part = (name: string, value: string): string =>
      `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const multipart = `${part('username', USERNAME)}${part('password', 'wrong')}--x--\r\n`
    const send = (path: string, type: string, body: string) => async () =>
      (await ask(it, path, { type, body })).status
    await expectCounted([
      send('/api/token/', JSON_TYPE, JSON.stringify(wrong)),
      send('/api/token', JSON_TYPE, JSON.stringify(wrong)),
      send('/api/token/?x=1', FORM_TYPE, form),
      send('/api/token/', 'multipart/form-data; boundary=x', multipart),
      async () => (await browser.login(wrong)).status,
    ])
  })

  test('unknown members do not change the count', async () => {
    const send = (body: object) => async () =>
      (await it.post('/api/token/', body, { address: '192.0.2.1' })).status
    await expectCounted([
      send({ ...wrong, email: 'a@example.com' }),
      send({ ...wrong, email: 'b@example.com', user: 'bob', login: 'bob' }),
      send({ USERNAME: 'bob', ...wrong }),
      send({ ...wrong, ip: '203.0.113.1', remote_addr: '203.0.113.1' }),
      send({ ...wrong, username: ` ${USERNAME} ` }),
    ])
  })

  test.each([
    'x-forwarded-for',
    'x-real-ip',
    'forwarded',
    'x-client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'x-cluster-client-ip',
    'client-ip',
    'via',
    'user-agent',
  ])('a different %s each time does not change the count', async (name) => {
    await expectCounted([
      async () => {
        const headers = { [name]: name === 'forwarded' ? `for=${elsewhere()}` : elsewhere() }
        return (await ask(it, '/api/token/', { headers, body: JSON.stringify(wrong) })).status
      },
    ])
  })

  test('spellings of one e-mail address count together, and another address does not', async () => {
    await create('carol@example.com')
    await expectCounted(
      [
        'carol@example.com',
        'CAROL@Example.COM',
        'carol\uff20example.com',
        '\uff43arol@example.com',
      ].map((username) => () => guess(username)),
    )
    // Only some providers ignore dots and tags. Here they name other people.
    expect(await guess('car.ol@example.com', { address: elsewhere() })).toBe(401)
  })

  test('forged device cookies do not change the count', async () => {
    await create('mallory')
    const own = new TestBrowser(it)
    await own.login({ username: 'mallory', password: PASSWORD })
    it.mark()
    const device = own.cookies.get('cs_device')!
    const [id = '', proof = ''] = device.split('.')
    let n = 0
    const cookies = [
      '',
      device,
      `${id}.${'A'.repeat(43)}`,
      `${'A'.repeat(22)}.${proof}`,
      `${device}.x`,
      `"${device}"`,
      'x'.repeat(4_000),
    ]
    await expectCounted(
      cookies.map((cookie) => async () => {
        const browser = new TestBrowser(it)
        browser.cookies.set('cs_device', cookie.replace('%', String((n += 1))))
        return (await browser.login(wrong)).status
      }),
    )
  })

  test('of two hundred attempts at once at a running server, exactly the allowed number is checked', async () => {
    // Those for which no core is free in time get 503, and do not count.
    const env = { COUNTERSIGN_THROTTLE: 'source=20/1h' }
    await using server = await startServerProcess({ env })
    const client = new HttpClient(server.url, 200)
    const body = { username: 'admin', password: 'wrong' }
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => client.post('/api/token/', body)),
    )
    const statuses = answers.map(({ status }) => status)
    expect(new Set([...statuses, 401, 429, 503]).size).toBe(3)
    for (let n = 0; n < 40; n += 1) statuses.push((await client.post('/api/token/', body)).status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(20)
    for (const path of ['/api/token', '/api/token/?x', '/api/token/']) {
      expect((await client.post(path, body)).status).toBe(429)
    }
    expect((await client.post('//api/token/', body)).status).toBe(404)
    client.close()
  })
})

test('P07 a success at one account does not lower the count of another', async () => {
  await create('mallory')
  const statuses: number[] = []
  for (let n = 0; n < 6; n += 1) {
    statuses.push(await guess())
    expect(await guess('mallory', { password: PASSWORD })).toBe(200)
  }
  it.mark()
  expect(statuses).toEqual([401, 401, 401, 429, 429, 429])
})

test('P07 a success does not lower the count of the address', async () => {
  await create('mallory')
  let tried = 0
  for (let n = 0; n < 12; n += 1) {
    if ((await guess(`user-${n}`)) === 401) tried += 1
    await guess('mallory', { password: PASSWORD })
  }
  it.mark()
  expect(tried).toBe(8)
})

describe('P09 a password that attackers guess first', () => {
  const bad: readonly (readonly [name: string, password: string, code: string])[] = [
    ['common', 'passwordpassword', 'password_common'],
    ['common with a year', 'Password2026!', 'password_common'],
    ['common in signs', 'p4$$w0rdp4$$w0rd', 'password_common'],
    ['a run', 'abcdefghijklmnop', 'password_common'],
    ['one key', 'aaaaaaaaaaaaaaaa', 'password_common'],
    ['the username and the product', 'alice-countersign', 'password_contains_username'],
    ['eleven characters', 'kq7-vw2-zx9', 'password_too_short'],
    [
      'eleven of two units each',
      '\u{1f600}\u{1f40e}\u{1f50b}'.repeat(4).slice(0, 22),
      'password_too_short',
    ],
  ]

  test.each(bad)('is refused at the sign-up and at a change: %s', async (_, password, code) => {
    await it.restart({ throttle: 'off' })
    const browser = await logIn()
    // The password contains the username of the account.
    const username = 'alice2'
    const signedUp = await browser.visit('/auth/signup', {
      body: { username, password: password.replaceAll('alice', username) },
    })
    expect([signedUp.status, membersOf(signedUp)['code']]).toEqual([400, code])
    const body = { old_password: PASSWORD, new_password: password }
    const changed = await browser.visit('/auth/password', { body })
    expect([changed.status, membersOf(changed)['code']]).toEqual([400, code])
  })
})

describe('P12 the password is changed', () => {
  const change = (browser: TestBrowser, oldPassword?: unknown): Promise<Answer> =>
    browser.visit('/auth/password', {
      body: { old_password: oldPassword, new_password: NEW_PASSWORD },
    })

  test.each([
    ['without the old one', undefined, 400],
    ['with null', null, 400],
    ['with nothing', '', 400],
    ['with a list', [PASSWORD], 400],
    ['with a wrong one', 'wrong', 401],
    ['with the old one in capitals', PASSWORD.toUpperCase(), 401],
    ['with the old one and a space', `${PASSWORD} `, 401],
    ['with the old one and a NUL', `${PASSWORD}\0`, 401],
    ['with the new one', NEW_PASSWORD, 401],
  ])('not %s', async (_, oldPassword, status) => {
    const browser = await logIn()
    expect((await change(browser, oldPassword)).status).toBe(status)
  })

  test('not with a session that is over, expired or of another account', async () => {
    const ended = await logIn()
    const kept = copyOf(ended, '203.0.113.7')
    await ended.visit('/auth/logout')
    it.mark()
    expect((await change(kept, PASSWORD)).status).toBe(401)

    const expired = await logIn()
    it.clock.advanceMs(300_000)
    expect((await change(expired, PASSWORD)).status).toBe(401)

    await create('bob')
    const bob = new TestBrowser(it)
    await bob.login({ username: 'bob', password: PASSWORD })
    const before = await guess(USERNAME, { password: PASSWORD })
    await bob.visit('/auth/password', {
      body: { username: USERNAME, old_password: PASSWORD, new_password: NEW_PASSWORD },
    })
    expect([before, await guess(USERNAME, { password: PASSWORD })]).toEqual([200, 200])
    it.mark()
  })

  test('not by guessing with a stolen session from many addresses', async () => {
    const browser = await logIn()
    const statuses: number[] = []
    for (let n = 0; n < 20; n += 1) {
      statuses.push((await change(copyOf(browser, elsewhere()), `guess ${n}`)).status)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(3)
    expect((await change(copyOf(browser, elsewhere()), PASSWORD)).status).toBe(429)
  })

  test('not by guessing without known addresses', async () => {
    const browser = await logIn('')
    const statuses: number[] = []
    for (let n = 0; n < 8; n += 1) statuses.push((await change(browser, `guess ${n}`)).status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(3)
  })

  test('but guesses at the login do not block its owner', async () => {
    const browser = await logIn('203.0.113.7')
    for (let n = 0; n < 12; n += 1) await guess(USERNAME, { address: elsewhere() })
    expect((await change(browser, PASSWORD)).status).toBe(204)
    it.mark()
  })
})

describe('P21 a known device', () => {
  const endings: readonly (readonly [
    name: string,
    end: (owner: TestBrowser) => Promise<unknown>,
  ])[] = [
    [
      'a new password',
      (owner) =>
        owner.visit('/auth/password', {
          body: { old_password: PASSWORD, new_password: NEW_PASSWORD },
        }),
    ],
    [
      'a password that an operator set',
      () => it.authority.accounts.setPassword(USERNAME, NEW_PASSWORD, 'test'),
    ],
    ['the end of all sessions', (owner) => owner.visit('/auth/sessions/end-all')],
  ]

  test.each(endings)(
    'is forgotten with %s: older device cookies give no attempts',
    async (_, end) => {
      const owner = await logIn()
      // An attacker who knew the old password and logged in many times.
      const collected: TestBrowser[] = []
      for (let n = 0; n < 5; n += 1) collected.push(await logIn(elsewhere()))
      await end(owner)
      it.mark()
      let tried = 0
      for (let n = 0; n < 20; n += 1) {
        const device = collected[n % 5]!.cookies.get('cs_device')!
        const browser = new TestBrowser(it, elsewhere())
        browser.cookies.set('cs_device', device)
        const { status } = await browser.login({ username: USERNAME, password: `guess ${n}` })
        if (status === 401) tried += 1
      }
      expect(tried).toBe(6)
    },
  )

  test('is known again after the next login', async () => {
    const owner = await logIn()
    await owner.visit('/auth/sessions/end-all')
    expect((await owner.login()).status).toBe(200)
    it.mark()
    for (let n = 0; n < 12; n += 1) await guess(USERNAME, { address: elsewhere() })
    expect((await copyOf(owner, elsewhere()).login()).status).toBe(200)
    it.mark()
  })

  test('that is stolen shares the attempts of its owner, only at that account', async () => {
    await create('bob')
    const owner = await logIn()
    const thief = (): TestBrowser => {
      const browser = new TestBrowser(it, elsewhere())
      browser.cookies.set('cs_device', owner.cookies.get('cs_device')!)
      return browser
    }
    const statuses: number[] = []
    for (let n = 0; n < 6; n += 1) {
      const credentials = { username: USERNAME, password: `guess ${n}` }
      statuses.push((await thief().login(credentials)).status)
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429])
    for (let n = 0; n < 6; n += 1) {
      await thief().login({ username: 'bob', password: `guess ${n}` })
    }
    expect((await thief().login({ username: 'bob', password: PASSWORD })).status).toBe(429)
  })
})
