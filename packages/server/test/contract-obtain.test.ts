import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type Pair,
  type TestAuthority,
} from './support/authority.ts'
import {
  ask,
  askJson,
  expectAnswer,
  expectContractHeaders,
  FORM_TYPE,
  readAnswer,
  said,
  type Answer,
} from './support/contract.ts'
import { claimsOf, headerOf } from './support/forge.ts'
import { countStored, type Stored } from './support/rows.ts'

const PATH = '/api/token/'
const PAIR = /^\{"refresh":"[\w-]+\.[\w-]+\.[\w-]+","access":"[\w-]+\.[\w-]+\.[\w-]+"\}$/

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

function expectPair(answer: Answer): Pair {
  expect(answer.status).toBe(200)
  expect(answer.text).toMatch(PAIR)
  expectContractHeaders(answer)
  const { access, refresh }: Partial<Pair> = JSON.parse(answer.text)
  return { access: access!, refresh: refresh! }
}

test('returns a refresh token and an access token, in this order', async () => {
  expectPair(await askJson(it, PATH, { username: USERNAME, password: PASSWORD }))
})

describe('accepts the credentials', () => {
  const credentials = { username: USERNAME, password: PASSWORD }

  test('as JSON in any order, among other members', async () => {
    const body = { next: '/', password: PASSWORD, nested: { username: 'x' }, username: USERNAME }
    expectPair(await askJson(it, PATH, body))
  })

  test('as a form', async () => {
    const body = new URLSearchParams(credentials).toString()
    expectPair(await ask(it, PATH, { type: FORM_TYPE, body }))
    expectPair(await ask(it, PATH, { type: `${FORM_TYPE};charset=UTF-8`, body: `${body}&next=` }))
  })

  test('as a multipart form', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries(credentials)) form.set(name, value)
    const request = new Request(`${ISSUER}${PATH}`, { method: 'POST', body: form })
    expectPair(await readAnswer(await it.authority.fetch(request)))
  })

  test('without the slash at the end', async () => {
    expectPair(await askJson(it, '/api/token', credentials))
  })

  test('with any Authorization header', async () => {
    const body = JSON.stringify(credentials)
    const headers = { authorization: 'Bearer garbage' }
    expectPair(await ask(it, PATH, { headers, body }))
  })
})

describe('folds the username', () => {
  test.each(['ALICE', 'aLiCe', 'ａｌｉｃｅ', '\u24d0lice'])(
    'takes %s for alice',
    async (username) => {
      const pair = expectPair(await askJson(it, PATH, { username, password: PASSWORD }))
      const first = expectPair(await askJson(it, PATH, { username: USERNAME, password: PASSWORD }))
      expect(claimsOf(pair.access)['sub']).toBe(claimsOf(first.access)['sub'])
    },
  )

  // A name that looks the same or has invisible characters is another name.
  test.each([
    'аlice',
    'a\u200blice',
    'alice\u202e',
    '\ufeffalice',
    'al ice',
    'alice\u0301',
    'alıce',
  ])('takes %s for somebody else', async (username) => {
    const answer = await askJson(it, PATH, { username, password: PASSWORD })
    expectAnswer(answer, 401, said.wrongCredentials)
  })
})

describe('trims as str.strip() does', () => {
  test.each([
    ' ',
    '\t',
    '\n',
    '\v',
    '\f',
    '\r',
    '\x1c',
    '\x1d',
    '\x1e',
    '\x1f',
    '\x85',
    '\xa0',
    '\u1680',
    '\u2000',
    '\u200a',
    '\u2028',
    '\u2029',
    '\u202f',
    '\u205f',
    '\u3000',
  ])('takes off %j around both fields', async (space) => {
    const around = (text: string): string => space + text + space + space
    const body = { username: around(USERNAME), password: around(PASSWORD) }
    expectPair(await askJson(it, PATH, body))
  })

  // U+FEFF is white space to JavaScript, not to Python.
  test.each(['\ufeff', '\u200b', '\u180e', '\x1b', '\x08', '\x7f'])(
    'does not trim %j',
    async (character) => {
      const body = { username: USERNAME, password: PASSWORD + character }
      expectAnswer(await askJson(it, PATH, body), 401, said.wrongCredentials)
    },
  )

  test('leaves spaces inside a password', async () => {
    const body = { username: USERNAME, password: PASSWORD.replace(' ', '  ') }
    expectAnswer(await askJson(it, PATH, body), 401, said.wrongCredentials)
  })
})

describe('reads a JSON number as str() writes it', () => {
  test.each([
    ['31415926535897932384626', '31415926535897932384626'],
    ['-314159265358979', '-314159265358979'],
    ['3141592653589.0', '3141592653589.0'],
    ['3.1415926535897e5', '314159.26535897'],
    ['3141592653589793e4', '3.141592653589793e+19'],
    ['0.0000031415926535', '3.1415926535e-06'],
  ])('%s as username and as password', async (source, text) => {
    const { accounts } = it.authority
    const created = await accounts.create({ username: text, password: PASSWORD }, 'test')
    expect(created).toMatchObject({ ok: true })
    expectPair(await ask(it, PATH, { body: `{"username":${source},"password":"${PASSWORD}"}` }))

    await accounts.create({ username: 'numbered', password: PASSWORD }, 'test')
    expect(await accounts.setPassword('numbered', text, 'test')).toMatchObject({ ok: true })
    expectPair(await ask(it, PATH, { body: `{"username":"numbered","password":${source}}` }))
  })
})

describe('refuses with the same bytes', () => {
  let before: Stored
  beforeEach(() => {
    before = countStored(it.dataDir)
  })
  const refuses = async (username: unknown, password: unknown): Promise<void> => {
    const answer = await askJson(it, PATH, { username, password })
    expectAnswer(answer, 401, said.wrongCredentials)
    expect(countStored(it.dataDir)).toEqual(before)
  }

  test('a wrong password', () => refuses(USERNAME, `${PASSWORD}!`))
  test('a password in another case', () => refuses(USERNAME, PASSWORD.toUpperCase()))
  test('an unknown account', () => refuses('nobody', PASSWORD))
  test('the name of an object member', () => refuses('__proto__', 'constructor'))
  test('SQL', () => refuses("alice' --", "' OR 1=1"))
  test('a number', () => refuses(0, 1))
  test('a very long name and password', () => refuses('a'.repeat(7_000), 'b'.repeat(8_000)))

  test('a disabled account, until it is enabled again', async () => {
    const account = { username: 'carol', password: 'another good password' }
    await it.authority.accounts.create(account, 'test')
    await it.authority.accounts.disable('carol', 'test')
    before = countStored(it.dataDir)
    await refuses(account.username, account.password)
    await refuses(account.username, 'a wrong password')
    await it.authority.accounts.enable('carol', 'test')
    expectPair(await askJson(it, PATH, account))
  })
})

describe('the tokens', () => {
  test('an access token is an RFC 9068 one that the published key verifies', async () => {
    const { access } = await it.login()
    const jwks = await ask(it, '/.well-known/jwks.json', { method: 'GET', type: null })
    const keys: JSONWebKeySet = JSON.parse(jwks.text)
    const { payload, protectedHeader } = await jwtVerify(access, createLocalJWKSet(keys), {
      issuer: ISSUER,
      audience: ISSUER,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      currentDate: new Date(it.clock.nowMs()),
    })
    expect(Object.keys(protectedHeader)).toEqual(['alg', 'typ', 'kid'])
    const nowSec = Math.floor(it.clock.nowMs() / 1000)
    expect(payload).toEqual({
      iss: ISSUER,
      sub: expect.stringMatching(/^acct_[\w-]{22}$/),
      aud: ISSUER,
      exp: nowSec + 300,
      iat: nowSec,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
      client_id: 'first-party',
      sid: expect.stringMatching(/^[\w-]{22}$/),
      rvp: expect.any(Number),
      roles: [],
      auth_time: nowSec,
      amr: ['pwd'],
      token_type: 'access',
      user_id: payload.sub,
    })
  })

  test('a refresh token has its session and generation, and only the authority can verify it', async () => {
    const { access, refresh } = await it.login()
    const nowSec = Math.floor(it.clock.nowMs() / 1000)
    const { sub, sid } = claimsOf(access)
    expect(headerOf(refresh)).toEqual({ alg: 'HS256', typ: 'rt+jwt', kid: expect.any(String) })
    expect(claimsOf(refresh)).toEqual({
      iss: ISSUER,
      sub,
      sid,
      gen: 0,
      jti: expect.stringMatching(/^[0-9a-f]{32}$/),
      iat: nowSec,
      exp: nowSec + 14 * 86_400,
      token_type: 'refresh',
      user_id: sub,
    })
    const jwks = await ask(it, '/.well-known/jwks.json', { method: 'GET', type: null })
    expect(jwks.text).not.toContain(String(headerOf(refresh)['kid']))
  })
})

describe('with another name of the username field, as Django sites with USERNAME_FIELD have it', () => {
  let mailed: TestAuthority
  beforeAll(async () => {
    mailed = await openTestAuthority({ usernameField: 'email' })
    const account = { username: 'Alice@Example.com', password: PASSWORD }
    const created = await mailed.authority.accounts.create(account, 'test')
    if (!created.ok) throw new Error(created.text)
  })
  afterAll(() => mailed[Symbol.asyncDispose]())

  test.each([
    ['JSON', JSON.stringify({ email: 'alice@example.com', password: PASSWORD }), undefined],
    ['a form', `email=%20ALICE@example.com&password=${encodeURIComponent(PASSWORD)}`, FORM_TYPE],
    [
      'a username that is no address',
      JSON.stringify({ email: USERNAME, password: PASSWORD }),
      undefined,
    ],
  ])('%s logs in', async (_, body, type) => {
    expectPair(await ask(mailed, PATH, { body, ...(type === undefined ? {} : { type }) }))
  })

  test.each([
    [{}, '{"email":["This field is required."],"password":["This field is required."]}'],
    [
      { username: 'alice@example.com', password: PASSWORD },
      '{"email":["This field is required."]}',
    ],
    [{ email: '', password: 'x' }, '{"email":["This field may not be blank."]}'],
    [{ email: null, password: 'x' }, '{"email":["This field may not be null."]}'],
    [{ email: ['x'], password: 'x' }, '{"email":["Not a valid string."]}'],
    [{ email: 'a\0b', password: 'x' }, '{"email":["Null characters are not allowed."]}'],
  ])('the errors of %j stand under its field', async (body, text) => {
    expectAnswer(await askJson(mailed, PATH, body), 400, text)
  })

  test('a wrong password gets the usual answer', async () => {
    const wrong = await askJson(mailed, PATH, { email: 'alice@example.com', password: 'wrong' })
    const usual = await askJson(it, PATH, { username: USERNAME, password: 'wrong' })
    expect(wrong).toEqual(usual)
  })

  test('the OpenAPI document and the start page name the field', async () => {
    const read = async (path: string): Promise<string> =>
      (await mailed.authority.fetch(new Request(`${ISSUER}${path}`))).text()
    const document = JSON.parse(await read('/openapi.json')) as {
      paths: Record<string, { post: { requestBody: { content: Record<string, unknown> } } }>
    }
    expect(document.paths[PATH]?.post.requestBody.content['application/json']).toMatchObject({
      schema: {
        properties: { email: {}, password: {} },
        required: ['email', 'password'],
      },
      example: { email: 'alice@example.com' },
    })
    expect(JSON.stringify(document.paths[PATH])).not.toContain('"username"')
    expect(await read('/')).toContain('-d email=admin')
  })
})
