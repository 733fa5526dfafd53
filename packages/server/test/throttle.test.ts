import pino from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type TestAuthority,
} from './support/authority.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import { expectAnswer, readAnswer, type Answer } from './support/contract.ts'
import { withDatabase } from './support/database.ts'

const RATES = 'source=3/90s,account=6/60m,address=8/80s,device=3/90s'

let it: TestAuthority
beforeEach(async () => {
  it = await openTestAuthority({ throttle: RATES })
  const created = await it.authority.accounts.create(
    { username: 'bob', password: PASSWORD },
    'test',
  )
  expect(created.ok).toBe(true)
})
afterEach(() => it[Symbol.asyncDispose]())

async function guess(
  username = USERNAME,
  address = '198.51.100.1',
  password = 'wrong',
): Promise<Answer> {
  return readAnswer(await it.post('/api/token/', { username, password }, { address }))
}

async function statusesOf(tries: readonly Promise<Answer>[]): Promise<number[]> {
  return (await Promise.all(tries)).map(({ status }) => status)
}

test('attempts from one address at one account are slowed down, including the right password', async () => {
  for (let at = 0; at < 3; at++) expect((await guess()).status).toBe(401)
  const throttled = await guess(USERNAME, '198.51.100.1', PASSWORD)
  expectAnswer(
    throttled,
    429,
    '{"detail":"Request was throttled. Expected available in 30 seconds."}',
  )
  expect(throttled.headers.get('retry-after')).toBe('30')
  it.clock.advanceMs(29_999)
  expect((await guess()).status).toBe(429)
  it.clock.advanceMs(1)
  expect((await guess(USERNAME, '198.51.100.1', PASSWORD)).status).toBe(200)
})

test('a refused attempt does not make the wait longer', async () => {
  for (let at = 0; at < 30; at++) await guess()
  expect((await guess()).headers.get('retry-after')).toBe('30')
})

test('a right password does not count', async () => {
  for (let at = 0; at < 20; at++) {
    expect((await guess(USERNAME, '198.51.100.1', PASSWORD)).status).toBe(200)
  }
})

describe('many correct logins to one account', () => {
  const right = (address = '198.51.100.1'): Promise<Answer> => guess(USERNAME, address, PASSWORD)

  beforeEach(() => it.restart({ throttle: `${RATES},login=5/50s` }))

  test('are slowed down from one address, and other accounts and addresses are not', async () => {
    for (let at = 0; at < 5; at += 1) expect((await right()).status).toBe(200)
    const throttled = await right()
    expect(throttled.status).toBe(429)
    expect(throttled.headers.get('retry-after')).toBe('10')
    expect((await guess('bob', '198.51.100.1', PASSWORD)).status).toBe(200)
    // Somebody else with the password does not use up the logins of the owner.
    expect((await right('198.51.100.77')).status).toBe(200)
    it.clock.advanceMs(10_000)
    expect((await right()).status).toBe(200)
    expect((await right()).status).toBe(429)
  })

  test('are slowed down from all addresses together after ten times as many', async () => {
    for (let at = 0; at < 50; at += 1) expect((await right(`198.51.100.${at}`)).status).toBe(200)
    expect((await right('198.51.100.77')).status).toBe(429)
  })

  test('at once get no more than in sequence', async () => {
    const statuses = await statusesOf(Array.from({ length: 12 }, () => right()))
    // On a busy machine some of them get 503 instead.
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(5)
    expect(statuses).toContain(200)
  })

  test('are also slowed down in a browser that has logged in before', async () => {
    const browser = new TestBrowser(it)
    const statuses: number[] = []
    for (let at = 0; at < 6; at += 1) {
      statuses.push((await browser.login()).status)
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
  })

  test('are not used up by wrong passwords', async () => {
    for (let at = 0; at < 6; at += 1) {
      expect((await guess(USERNAME, `198.51.100.${at}`)).status).toBe(401)
    }
    it.clock.advanceMs(3_600_000)
    const statuses = []
    for (let at = 0; at < 5; at += 1) statuses.push((await right()).status)
    expect(statuses).toEqual(Array(5).fill(200))
  })

  test('count together with password changes', async () => {
    const { access } = JSON.parse((await right()).text) as { access: string }
    expect(access).toEqual(expect.any(String))
    for (let at = 0; at < 4; at += 1) expect((await right()).status).toBe(200)
    const changed = await it.authority.fetch(
      new Request('http://localhost:8000/auth/password', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${access}` },
        body: JSON.stringify({ old_password: PASSWORD, new_password: 'another long password 7' }),
      }),
      { address: '198.51.100.1' },
    )
    expect(changed.status).toBe(429)
  })
})

test('an unknown account is throttled like any other', async () => {
  const known = await statusesOf([guess(), guess(), guess(), guess()])
  const unknown = await statusesOf(Array.from({ length: 4 }, () => guess('nobody', '198.51.100.2')))
  expect(unknown.toSorted((a, b) => a - b)).toEqual(known.toSorted((a, b) => a - b))
})

test('P06 all spellings of a username count together', async () => {
  const spellings = ['alice', 'ALICE', 'Ａlice', 'aLiCe']
  const statuses = await statusesOf(spellings.map((name) => guess(name)))
  expect(statuses.toSorted((a, b) => a - b)).toEqual([401, 401, 401, 429])
})

test('P04 from many addresses one account is slowed down as a whole, and others are not', async () => {
  for (let at = 0; at < 6; at++)
    expect((await guess(USERNAME, `198.51.100.${at}`)).status).toBe(401)
  expect((await guess(USERNAME, '198.51.100.77')).status).toBe(429)
  expect((await guess('bob', '198.51.100.77', PASSWORD)).status).toBe(200)
})

test('P03 one address that tries many accounts is slowed down, even if some attempts succeed', async () => {
  for (let at = 0; at < 8; at++) {
    expect((await guess(`user${at}`)).status).toBe(401)
    if (at === 4) expect((await guess('bob', '198.51.100.1', PASSWORD)).status).toBe(200)
  }
  expect((await guess('another')).status).toBe(429)
})

test('P03 the addresses of one IPv6 network count together', async () => {
  const tries = [
    '2001:db8:1:2::1',
    '2001:db8:1:2:ffff::9',
    '2001:0DB8:0001:0002::3',
    '2001:db8:1:2::4',
  ]
  const statuses = await statusesOf(tries.map((address) => guess(USERNAME, address)))
  expect(statuses.toSorted((a, b) => a - b)).toEqual([401, 401, 401, 429])
  expect((await guess(USERNAME, '2001:db8:1:3::1')).status).toBe(401)
})

describe('P04 guesses do not block', () => {
  async function besiege(): Promise<void> {
    for (let at = 0; at < 20; at++) await guess(USERNAME, `198.51.100.${at}`)
    expect((await guess(USERNAME, '198.51.100.99', PASSWORD)).status).toBe(429)
  }

  test('a browser that has logged in before, wherever it is now', async () => {
    const browser = new TestBrowser(it, '203.0.113.50')
    expect((await browser.login()).status).toBe(200)
    await besiege()
    const elsewhere = new TestBrowser(it, '198.51.100.3')
    elsewhere.cookies.set('cs_device', browser.cookies.get('cs_device') ?? '')
    expect((await elsewhere.login()).status).toBe(200)
  })

  test('an address that has logged in before', async () => {
    await it.login({ address: '203.0.113.60' })
    await besiege()
    expect((await guess(USERNAME, '203.0.113.60', PASSWORD)).status).toBe(200)
  })

  test('but guesses from a stolen browser are limited too', async () => {
    const browser = new TestBrowser(it)
    await browser.login()
    const statuses: number[] = []
    for (let at = 0; at < 4; at++) {
      statuses.push((await browser.login({ username: USERNAME, password: 'wrong' })).status)
    }
    expect(statuses).toEqual([401, 401, 401, 429])
  })

  test.each([
    [
      'of another account',
      async (browser: TestBrowser) => {
        await browser.login({ username: 'bob', password: PASSWORD })
      },
    ],
    [
      'that was made up',
      async (browser: TestBrowser) => {
        browser.cookies.set('cs_device', `${'A'.repeat(22)}.${'A'.repeat(43)}`)
      },
    ],
    [
      'that is none',
      async (browser: TestBrowser) => {
        browser.cookies.set('cs_device', '..')
      },
    ],
  ])('P21 a device cookie %s does not make a device known', async (_name, prepare) => {
    const browser = new TestBrowser(it, '198.51.100.200')
    await prepare(browser)
    await besiege()
    expect((await browser.login()).status).toBe(429)
  })
})

test('P06 all of 200 attempts at once are counted', async () => {
  await using strict = await openTestAuthority({ throttle: 'source=25/1h' })
  const attempt = async (): Promise<number> =>
    (await strict.post('/api/token/', { username: USERNAME, password: 'wrong' })).status
  const statuses = await Promise.all(Array.from({ length: 200 }, attempt))
  // Attempts for which no core was free in time get 503. They checked no password, so they do not count.
  for (let n = 0; n < 30; n += 1) statuses.push(await attempt())
  expect(statuses.filter((status) => status === 401)).toHaveLength(25)
  expect(new Set([...statuses, 503])).toEqual(new Set([401, 429, 503]))
})

test('a clock that was set back locks nobody out', async () => {
  for (let at = 0; at < 4; at++) await guess()
  it.clock.advanceMs(-86_400_000)
  expect((await guess()).status).toBe(401)
  expect((await guess()).status).toBe(401)
})

test('the table names no account and no address', async () => {
  await guess()
  const keys = withDatabase(it.dataDir, (db) => db.prepare('SELECT key FROM throttles').all())
  expect(keys).toHaveLength(5)
  expect(JSON.stringify(keys)).not.toMatch(/alice|198\.51/)
})

test('without known addresses, attempts count by account only', async () => {
  for (let at = 0; at < 20; at++) expect((await guess(`user${at}`, '')).status).toBe(401)
  for (let at = 0; at < 6; at++) expect((await guess(USERNAME, '')).status).toBe(401)
  expect((await guess(USERNAME, '')).status).toBe(429)
  expect((await guess('bob', '', PASSWORD)).status).toBe(200)
})

test('with the throttle off, nothing is counted', async () => {
  await it.restart({ throttle: 'off' })
  for (let at = 0; at < 40; at += 1) expect((await guess()).status).toBe(401)
})

describe('P06 behind a proxy', () => {
  async function guessThrough(connection: string, forwarded: string): Promise<number> {
    const response = await it.authority.fetch(
      new Request('http://localhost:8000/api/token/', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': forwarded },
        body: JSON.stringify({ username: USERNAME, password: 'wrong' }),
      }),
      { address: connection },
    )
    return response.status
  }

  test('X-Forwarded-For counts only from a trusted proxy', async () => {
    const statuses: number[] = []
    for (let at = 0; at < 4; at++)
      statuses.push(await guessThrough('198.51.100.9', `203.0.113.${at}`))
    expect(statuses).toEqual([401, 401, 401, 429])
  })

  test("a trusted proxy's header counts, and entries that a client put in front do not", async () => {
    await it.restart({ throttle: RATES, trustedProxies: '10.0.0.0/8' })
    const statuses: number[] = []
    for (let at = 0; at < 4; at++) {
      statuses.push(await guessThrough('10.0.0.1', `203.0.113.${at}, 198.51.100.9, 10.0.0.2`))
    }
    expect(statuses).toEqual([401, 401, 401, 429])
    expect(await guessThrough('10.0.0.1', '198.51.100.10')).toBe(401)
  })

  test('ports in the header do not make other clients', async () => {
    await it.restart({ throttle: RATES, trustedProxies: '10.0.0.0/8' })
    const statuses: number[] = []
    for (let at = 0; at < 4; at++) {
      statuses.push(await guessThrough('10.0.0.1', `198.51.100.9:${5_000 + at}`))
    }
    expect(statuses).toEqual([401, 401, 401, 429])
    expect(await guessThrough('10.0.0.1', '[2001:db8::1]:443')).toBe(401)
  })

  test('the header Forwarded counts only if the setting names it', async () => {
    let username = 'carol'
    const guessFrom = async (client: string): Promise<number> => {
      const headers = { 'content-type': 'application/json', forwarded: `for="${client}"` }
      const body = JSON.stringify({ username, password: 'wrong' })
      const request = new Request(`${ISSUER}/api/token/`, { method: 'POST', headers, body })
      return (await it.authority.fetch(request, { address: '10.0.0.1' })).status
    }
    const clients = [1, 2, 3, 4].map((at) => `[2001:db8:${at}::1]:443`)
    await it.restart({ throttle: RATES, trustedProxies: '10.0.0.0/8' })
    expect(await inOrder(clients, guessFrom)).toEqual([401, 401, 401, 429])
    username = 'dave'
    await it.restart({
      throttle: RATES,
      trustedProxies: '10.0.0.0/8',
      forwardedHeader: 'forwarded',
    })
    expect(await inOrder(clients, guessFrom)).toEqual([401, 401, 401, 401])
  })

  test('a missing address is logged once', async () => {
    const lines: string[] = []
    const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
    await it.restart({ logger })
    const get = (address: string | undefined): Promise<Response> =>
      it.authority.fetch(new Request(`${ISSUER}/healthz`), { address })
    await get('203.0.113.7:5123')
    expect(lines).toEqual([])
    await get(undefined)
    await get('')
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
      'client_address_missing',
    ])
  })
})

async function inOrder<T, Result>(
  values: readonly T[],
  act: (value: T) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (const value of values) results.push(await act(value))
  return results
}

test('a browser gets a problem document', async () => {
  const browser = new TestBrowser(it)
  const wrong = { username: 'bob', password: 'wrong' }
  for (let at = 0; at < 3; at++) await browser.login(wrong)
  const answer = await browser.login(wrong)
  expect(answer.status).toBe(429)
  expect(answer.headers.get('retry-after')).toBe('30')
  expect(membersOf(answer)).toMatchObject({ code: 'throttled', title: 'Too Many Requests' })
})
