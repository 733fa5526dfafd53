import { gzipSync } from 'node:zlib'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { openAttackedAuthority, type AttackedAuthority } from './support/attacked.ts'
import { PASSWORD } from './support/authority.ts'
import { askJson, FORM_TYPE, named } from './support/contract.ts'
import { query } from './support/database.ts'
import { CANARY, startHostileTarget, type HostileTarget } from './support/hostile-target.ts'
import type { RawAnswer } from './support/raw.ts'

// Group 7.A of docs/attack-catalogue.md at the endpoints under /auth, over real sockets; the endpoints under
// /api/token are in bad-http and bad-input. After each case, nothing may have changed.

let server: HostileTarget
beforeAll(async () => {
  server = await startHostileTarget({ COUNTERSIGN_SIGN_UP: 'true' })
})
afterEach(() => server.expectUnharmed())
afterAll(() => server.end())

interface Door {
  readonly path: string
  readonly field: string
  /** The headers without which a request is refused before its body is read. */
  headers(): Promise<Record<string, string>>
}

async function csrfToken(cookie: string): Promise<{ token: string; setCookie: string }> {
  const headers = cookie === '' ? {} : { cookie }
  const answer = await server.ask({ method: 'GET', path: '/auth/csrf', headers })
  const { csrf_token: token } = JSON.parse(answer.text) as { csrf_token: string }
  return { token, setCookie: answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '' }
}

const doors: readonly Door[] = [
  {
    path: '/auth/login',
    field: 'username',
    async headers() {
      const { token, setCookie } = await csrfToken('')
      return { cookie: setCookie, 'x-csrf-token': token, 'sec-fetch-site': 'same-origin' }
    },
  },
  {
    path: '/auth/refresh',
    field: 'tenant',
    async headers() {
      const cookie = `cs_refresh=${server.pair.refresh}`
      const { token } = await csrfToken(cookie)
      return { cookie, 'x-csrf-token': token, 'sec-fetch-site': 'same-origin' }
    },
  },
  {
    path: '/auth/password',
    field: 'new_password',
    headers: () => Promise.resolve({ authorization: `Bearer ${server.pair.access}` }),
  },
  { path: '/auth/signup', field: 'username', headers: () => Promise.resolve({}) },
]

describe.each(doors)('$path', (door) => {
  const { path, field } = door
  const knock = async (
    body: string | Uint8Array,
    more: Record<string, string> = {},
  ): Promise<RawAnswer> =>
    server.ask({ path, body, headers: { ...(await door.headers()), ...more } })
  const codeOf = ({ status, text }: RawAnswer): unknown[] => [
    status,
    (JSON.parse(text) as { code: unknown }).code,
  ]

  test.each(
    named(['{', '{"a":1,}', "{'a':1}", '{"a":NaN}', '{"a":01}', '\ufeff{}', '{}x', ' ', '1e400']),
  )('A01 malformed JSON: %s', async (_, body) => {
    expect(codeOf(await knock(body))).toEqual([400, 'json_malformed'])
  })

  test.each(['[]', `["${CANARY}"]`, '"x"', 'null', '1', 'true'])(
    'A02 the root %s is no object',
    async (body) => {
      expect(codeOf(await knock(body))).toEqual([400, 'body_not_object'])
    },
  )

  test.each([
    ['text/plain', 'text/plain'],
    ['none', ''],
    ['JSON in UTF-16', 'application/json; charset=utf-16'],
    ['two at once', 'application/json, text/plain'],
    ['a look-alike', 'application/jsonp'],
    ['with a suffix', 'application/problem+json'],
    ['a page', 'text/html'],
  ])('A04 the media type %s', async (_, type) => {
    expect(codeOf(await knock('{}', { 'content-type': type }))).toEqual([
      415,
      'media_type_unsupported',
    ])
  })

  test.each(['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'x-gzip', 'identity, gzip'])(
    'A05 a bomb in %s',
    async (encoding) => {
      const answer = await knock(gzipSync(Buffer.alloc(10_000_000)), {
        'content-encoding': encoding,
      })
      expect(codeOf(answer)).toEqual([415, 'content_encoding_unsupported'])
    },
  )

  test.each(['body', 'escaped'])('A07 duplicate JSON keys, %s', async (how) => {
    const second =
      how === 'body' ? field : `\\u00${field.charCodeAt(0).toString(16)}${field.slice(1)}`
    const answer = await knock(`{"${field}":"a","${second}":"b"}`)
    expect(codeOf(answer)).toEqual([400, 'json_duplicate_member'])
  })

  test.each([
    ['__proto__', '{"__proto__":{"polluted":1}'],
    ['constructor', '{"constructor":{"prototype":{"polluted":1}}'],
    ['of another', '{"x":{"__proto__":{"polluted":1}}'],
  ])('A08 a member %s changes no prototype', async (_, body) => {
    expect((await knock(`${body},"${field}":5}`)).status).toBe(400)
    const form = `__proto__[polluted]=1&constructor.prototype.polluted=1&${field}=`
    expect((await knock(form, { 'content-type': FORM_TYPE })).status).toBe(400)
    expect('polluted' in {}).toBe(false)
  })

  test.each(['a=1&a=2', 'a=1&%61=2', 'a&a', 'a=&a='])('A10 the form %s', async (body) => {
    const answer = await knock(body, { 'content-type': FORM_TYPE })
    expect(codeOf(answer)).toEqual([400, 'form_duplicate_field'])
  })

  test.each([
    ['an overlong "A"', [0xc1, 0x81]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['half a surrogate pair', [0xed, 0xa0, 0xbd]],
    ['a byte that begins nothing', [0xff]],
  ])('A14 %s, in JSON and in a form', async (_, bytes) => {
    const around = (before: string, after: string): Buffer =>
      Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])
    expect(codeOf(await knock(around(`{"${field}":"`, '"}')))).toEqual([400, 'text_malformed'])
    const form = { 'content-type': FORM_TYPE }
    expect(codeOf(await knock(around(`${field}=`, ''), form))).toEqual([400, 'form_malformed'])
    const escaped = bytes.map((byte) => `%${byte.toString(16)}`).join('')
    expect(codeOf(await knock(`${field}=${escaped}`, form))).toEqual([400, 'form_malformed'])
  })

  test.each([
    ['a number', '5'],
    ['a list', '["a"]'],
    ['an object', '{"$ne":null}'],
    ['half a character', '"\\ud800"'],
    ['nothing', '""'],
    ['true', 'true'],
  ])('a field that is %s', async (_, value) => {
    expect(codeOf(await knock(`{"${field}":${value}}`))).toEqual([400, 'fields_invalid'])
  })

  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'OPTIONS', 'QUERY', 'PROPFIND'])(
    'A23 the method %s',
    async (method) => {
      const headers = { ...(await door.headers()), 'content-type': FORM_TYPE }
      const answer = await server.ask({ method, path, headers })
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('POST')
    },
  )

  test('is refused at 16 KiB plus one byte, without parsing it', async () => {
    const body = `{"${field}":"${CANARY}${'a'.repeat(16_384)}"}`
    expect(codeOf(await knock(body))).toEqual([413, 'body_too_large'])
  })
})

describe('A23 a method', () => {
  test.each([
    ['GET', '/auth/logout'],
    ['HEAD', '/auth/logout'],
    ['PUT', '/auth/logout'],
    ['TRACE', '/auth/logout'],
    ['GET', '/auth/sessions/end-all'],
    ['DELETE', '/auth/sessions/end-all'],
    ['GET', '/auth/sessions/any'],
    ['POST', '/auth/sessions/any'],
    ['DELETE', '/auth/sessions'],
    ['POST', '/auth/me'],
    ['POST', '/auth/csrf'],
  ])('%s %s changes nothing, and is not there', async (method, path) => {
    const headers = { authorization: `Bearer ${server.pair.access}` }
    const answer = await server.ask({ method, path, headers })
    expect(answer.status).toBe(405)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    'in the header %s does not count',
    async (name) => {
      const headers = { authorization: `Bearer ${server.pair.access}`, [name]: 'DELETE' }
      const { sid } = JSON.parse(
        Buffer.from(server.pair.access.split('.')[1]!, 'base64url').toString(),
      ) as { sid: string }
      const path = `/auth/sessions/${sid}?_method=DELETE`
      expect((await server.ask({ path, headers, body: '{"_method":"DELETE"}' })).status).toBe(405)
    },
  )

  test.each(['GET', 'HEAD', 'OPTIONS', 'DELETE'])(
    '%s with a body of its own starts no second request',
    async (method) => {
      const second = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
      const head = `${method} /auth/me HTTP/1.1\r\nHost: x\r\nContent-Length: ${second.length}\r\n\r\n`
      const { statuses } = await server.talk(head + second)
      expect(statuses).toEqual([method === 'GET' || method === 'HEAD' ? 401 : 405])
    },
  )
})

describe('A19 the Host header', () => {
  test.each([
    ['Host', ['Host: evil.test']],
    ['X-Forwarded-Host', ['Host: localhost', 'X-Forwarded-Host: evil.test']],
    ['Forwarded', ['Host: localhost', 'Forwarded: host=evil.test;proto=http']],
    ['X-Forwarded-Proto', ['Host: localhost', 'X-Forwarded-Proto: evil', 'X-Original-URL: /evil']],
    ['X-Original-URL', ['Host: localhost', 'X-Original-URL: /evil', 'X-Rewrite-URL: /evil']],
  ])('%s changes no issuer, link or cookie', async (_, lines) => {
    for (const target of ['/auth/csrf', 'http://evil.test/auth/csrf', '/', '/auth/me']) {
      const { text, statuses } = await server.talk(
        `GET ${target} HTTP/1.1\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`,
      )
      expect(statuses).toEqual([target === '/auth/me' ? 401 : 200])
      expect(text).not.toContain('evil')
      expect(text).not.toMatch(/set-cookie:.*(?:domain|__host)/i)
    }
  })

  test('a page of another host is refused, whatever Host the request has', async () => {
    const { token, setCookie } = await csrfToken('')
    const headers = { cookie: setCookie, 'x-csrf-token': token, origin: 'http://evil.test' }
    const forwarded = { host: 'evil.test', 'x-forwarded-host': 'evil.test' }
    const body = JSON.stringify({ username: 'admin', password: CANARY })
    const answer = await server.ask({
      path: '/auth/login',
      headers: { ...headers, ...forwarded },
      body,
    })
    expect(answer.status).toBe(403)
  })
})

describe('A22 headers', () => {
  const authorization = (): string => `Bearer ${server.pair.access}`

  test.each([
    ['a header of 32 KB', () => ({ 'x-a': 'a'.repeat(32_768) }), 431],
    ['a cookie of 20 KB', () => ({ cookie: `cs_access=${'a'.repeat(20_480)}` }), 431],
    [
      '300 cookies',
      () => ({ cookie: Array.from({ length: 300 }, (_, at) => `c${at}=a`).join('; ') }),
      401,
    ],
    [
      '300 cookies of ours',
      () => ({ cookie: Array.from({ length: 300 }, () => 'cs_access=a').join('; ') }),
      400,
    ],
    ['a token of 10 KB', () => ({ authorization: `Bearer ${'a'.repeat(10_000)}` }), 401],
    ['two tokens in one', () => ({ authorization: `${authorization()}, ${authorization()}` }), 400],
    ['a token and spaces', () => ({ authorization: `Bearer ${' '.repeat(12_000)}x y` }), 400],
    ['a quoted cookie that swallows', () => ({ cookie: 'a="; cs_access=x; b="' }), 401],
  ])('%s at /auth/me', async (_, headers, status) => {
    expect((await server.ask({ method: 'GET', path: '/auth/me', headers: headers() })).status).toBe(
      status,
    )
  })

  test('two Authorization lines are refused', async () => {
    const line = `Authorization: ${authorization()}\r\n`
    const { statuses } = await server.talk(
      `GET /auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${line}${line}\r\n`,
    )
    expect(statuses).toEqual([400])
  })

  test('all header lines that fit are read, including the last', async () => {
    const lines = 'a:\r\n'.repeat(900)
    const { statuses } = await server.talk(
      `GET /auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines}Authorization: ${authorization()}\r\n\r\n`,
    )
    expect(statuses[0]).toBeOneOf([200, 431])
  })
})

test.each([
  ['/auth/me/x.css', 404],
  ['/auth/me.css', 404],
  ['/auth/me;x.css', 404],
  ['/auth/me%2fx.css', 404],
  ['/auth/me/..%2fx.css', 404],
  ['/auth/me%0ax.css', 404],
  ['/auth/me%23x.css', 404],
  ['/auth/sessions/x.css', 405],
  ['/auth/csrf/x.js', 404],
  ['/auth/me?x.css', 200],
])('A25 web cache deception: %s answers %i, and must not be cached', async (path, status) => {
  const headers = {
    authorization: `Bearer ${server.pair.access}`,
    accept: 'text/css,image/*;q=0.1',
    'accept-encoding': 'gzip',
  }
  const answer = await server.ask({ method: 'GET', path, headers })
  expect(answer.status).toBe(status)
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['content-type']).toMatch(/^application\/(?:problem\+)?json$/)
  expect(answer.headers['x-content-type-options']).toBe('nosniff')
  if (status !== 200) expect(answer.text).not.toContain('admin')
})

describe('names at the sign-up', () => {
  let it: AttackedAuthority
  beforeAll(async () => {
    it = await openAttackedAuthority({ signUp: true })
    const taken = { username: 'carol@example.com', password: PASSWORD }
    expect((await askJson(it, '/auth/signup', taken)).status).toBe(201)
  })
  beforeEach(() => it.mark())
  afterEach(() => it.expectUnharmed())
  afterAll(() => it[Symbol.asyncDispose]())

  const signUp = async (username: string): Promise<number> =>
    (await askJson(it, '/auth/signup', { username, password: PASSWORD })).status

  test.each([
    ['NUL', 'dave\0'],
    ['C0', 'dave\u0007'],
    ['a line end', 'dave\r\n'],
    ['DEL', 'dave\u007f'],
    ['C1', 'dave\u0085'],
    ['an override of direction', 'dave\u202e'],
    ['an isolate of direction', '\u2066dave\u2069'],
    ['zero width', 'da\u200bve'],
    ['a joiner', 'da\u200dve'],
    ['a byte order mark', '\ufeffdave'],
    ['a soft hyphen', 'da\u00adve'],
    ['a filler', 'dave\u3164'],
    ['a variation selector', 'dave\ufe0f'],
    ['a tag', 'dave\u{e0061}'],
    ['the ends of a line of Unicode', 'dave\u2028'],
    ['a private character', 'dave\ue000'],
    ['a space at the end', 'dave\u00a0'],
    ['Cyrillic in Latin', 'd\u0430ve'],
    ['Cyrillic alone', '\u0430\u0441\u0435'],
    ['an ideographic full stop in a domain', 'carol@example\u3002com'],
    ['a domain look-alike', 'carol@\u0435xample.com'],
  ])('A11 %s is refused', async (_, username) => {
    expect(await signUp(username)).toBe(400)
  })

  test('A11 a lone surrogate is refused', async () => {
    expect(await signUp('dave\ud800')).toBe(400)
  })

  test.each([
    ['a full-width at sign', 'carol\uff20example.com'],
    ['a small one', 'carol\ufe6bexample.com'],
    ['capitals', 'Carol@EXAMPLE.com'],
    ['full-width letters', '\uff43arol@example.com'],
    ['mathematical letters', '\u{1d41c}arol@example.com'],
  ])('A11 %s is the same account', async (_, username) => {
    expect(await signUp(username)).toBe(409)
    const accounts = query(
      it.dataDir,
      `SELECT username FROM accounts WHERE username_key LIKE 'carol%'`,
    )
    expect(accounts).toEqual([{ username: 'carol@example.com' }])
  })

  // More passwords at once could wait longer than a second for a slow core, and get 503.
  test('A11 ten sign-ups at once with five spellings are one account', async () => {
    const spellings = ['frank', 'Frank', 'FRANK', '\uff46rank', 'fr\u24d0nk']
    const statuses = await Promise.all(
      Array.from({ length: 10 }, (_, at) => signUp(spellings[at % 5]!)),
    )
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    expect(statuses.filter((status) => status === 409)).toHaveLength(9)
    it.mark()
  })

  test.each([
    ['a second header', 'dave@example.com\r\nBcc: eve@evil.test'],
    ['a line feed', 'dave@example.com\nBcc: eve@evil.test'],
    ['a second address', 'dave@example.com,eve@evil.test'],
    ['a second one after a semicolon', 'dave@example.com;eve@evil.test'],
    ['a name before it', '"dave"<eve@evil.test>'],
    ['angle brackets', '<dave@example.com>'],
    ['quotes', '"dave eve"@evil.test'],
    ['a comment', 'dave(eve)@evil.test'],
    ['a route', '@evil.test:dave@example.com'],
    ['two at signs', 'dave@evil.test@example.com'],
    ['a percent route', 'dave%evil.test@'],
    ['a number for a host', 'dave@[127.0.0.1]'],
    ['an address for a host', 'dave@127.0.0.1'],
    ['an encoded word', '=?utf-8?q?dave?=@example.com\u0000'],
    ['nothing before', '@example.com'],
    ['dots', 'dave..eve@example.com'],
  ])('A13 an e-mail address with %s is refused', async (_, username) => {
    expect(await signUp(username)).toBe(400)
  })
})
