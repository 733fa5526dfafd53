import { gzipSync } from 'node:zlib'

import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { endpoints, FORM_TYPE, JSON_TYPE, named } from './support/contract.ts'
import { CANARY, post, startHostileTarget, type HostileTarget } from './support/hostile-target.ts'
import type { RawRequest } from './support/raw.ts'
import { sized } from './support/long.ts'

// Sends bodies that no honest client sends to a real process over real sockets. `expectUnharmed` has the
// conditions after each of them.

let server: HostileTarget
beforeAll(async () => {
  server = await startHostileTarget()
})
afterEach(() => server.expectUnharmed())
afterAll(() => server.end())

const MIB = new Uint8Array(1_048_576).fill(0x61)

describe.each(endpoints)('$path', ({ path, fields }) => {
  const [field] = fields

  test.each(
    named([
      '{',
      '}',
      '{"',
      `{"${CANARY}`,
      '{"a":1,}',
      '[1,]',
      "{'a':1}",
      '{"a":NaN}',
      '{"a":-Infinity}',
      '{"a":0x10}',
      '{"a":1e999}',
      '{"a":"\u0001"}',
      '{"a":"\\u12"}',
      '{}{}',
      '/**/{}',
      '\u2028{}',
      `${'['.repeat(8_000)}${']'.repeat(8_000)}`,
      '{"a":'.repeat(3_000),
      `{"a":${'[{"b":'.repeat(2_000)}1${'}]'.repeat(2_000)}}`,
    ]),
  )('A01 refuses what is not JSON: %s', (_, body) => expectParseError(body))

  async function expectParseError(body: string): Promise<void> {
    const answer = await server.ask({ path, body })
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/^\{"detail":"JSON parse error - [^"]+"\}$/)
  }

  test.each(
    named([
      `{"${field}":"${CANARY}","${field}":"a"}`,
      `{"${field}":"a","\\u00${field.charCodeAt(0).toString(16)}${field.slice(1)}":"b"}`,
    ]),
  )('A07 refuses duplicate JSON keys: %s', (_, body) => expectParseError(body))

  test.each(named(['{"__proto__":{"polluted":1}}', '{"x":{"__proto__":null}}']))(
    'A08 refuses a prototype: %s',
    (_, body) => expectParseError(body),
  )

  test('A08 treats a member named constructor like any other member', async () => {
    const body = '{"constructor":{"prototype":{"polluted":1}}}'
    const answer = await server.ask({ path, body })
    expect(answer.status).toBe(400)
    expect(answer.text).toContain('This field is required.')
    expect('polluted' in {}).toBe(false)
  })

  test.each([
    ['invalid UTF-8', [0xff, 0xfe]],
    ['an overlong "A"', [0xc1, 0x81]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an overlong "/" of three bytes', [0xe0, 0x80, 0xaf]],
    ['half a surrogate pair in CESU-8', [0xed, 0xa0, 0xbd]],
    ['a whole surrogate pair in CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['a code point beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ])('A14 refuses %s, in JSON and in a form', async (_, bytes) => {
    const around = (before: string, after: string): Buffer =>
      Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])
    expect((await server.ask({ path, body: around(`{"${field}":"`, '"}') })).status).toBe(400)

    const headers = { 'content-type': FORM_TYPE }
    expect((await server.ask({ path, headers, body: around(`${field}=`, '') })).status).toBe(400)
    const escaped = bytes.map((byte) => `%${byte.toString(16)}`).join('')
    expect((await server.ask({ path, headers, body: `${field}=${escaped}` })).status).toBe(400)
  })

  test.each([
    ['"a\\u0000b"', 'Null characters are not allowed.'],
    ['"a\\ud800b"', 'Surrogate characters are not allowed: U+D800.'],
    ['"\\udfff\\ud800"', 'Surrogate characters are not allowed: U+DFFF.'],
    ['[]', 'Not a valid string.'],
    ['{}', 'Not a valid string.'],
    ['true', 'Not a valid string.'],
    ['null', 'This field may not be null.'],
    ['" \\t\\n"', 'This field may not be blank.'],
  ])('names the field that is %s', async (value, error) => {
    const members = fields.map((name) => `"${name}":${value}`)
    const answer = await server.ask({ path, body: `{${members.join(',')}}` })
    expect(answer.status).toBe(400)
    const errors = Object.fromEntries(fields.map((name) => [name, [error]]))
    expect(answer.text).toBe(JSON.stringify(errors))
  })

  test.each([
    '',
    'text/plain',
    'application/octet-stream',
    'application/json; charset=utf-16',
    'json',
  ])('A04 refuses the media type "%s"', async (type) => {
    expect((await server.ask({ path, headers: { 'content-type': type }, body: '{}' })).status).toBe(
      415,
    )
  })

  test('A05 decompresses nothing, so a compression bomb stays small', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000, ' '))
    expect(bomb.length).toBeLessThan(16_384)
    const headers = { 'content-encoding': 'gzip' }
    expect((await server.ask({ path, headers, body: bomb })).status).toBe(415)
  })

  test('does not decode UTF-16', async () => {
    const answer = await server.ask({ path, body: Buffer.from('{"a":1}', 'utf16le') })
    expect(answer.status).toBe(400)
  })

  test.each(['a=1&a=2', 'a=1&%61=2', 'a&a'])(
    'A10 refuses the form %s: a field twice',
    async (body) => {
      const headers = { 'content-type': FORM_TYPE }
      expect((await server.ask({ path, headers, body })).status).toBe(400)
    },
  )

  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'PURGE', 'M-SEARCH'])(
    'A23 does not take %s, and does nothing',
    async (method) => {
      const body = method === 'TRACE' ? undefined : JSON.stringify({ refresh: server.pair.refresh })
      const answer = await server.ask({ path, method, ...(body === undefined ? {} : { body }) })
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('POST, OPTIONS')
    },
  )

  test('refuses a Content-Length of 10 MB without waiting for the body', async () => {
    const head = post(['Content-Length: 10485760'], '', path)
    const { statuses } = await server.talk(head)
    expect(statuses).toEqual([413])
    expect((await server.talk(head, ...Array.from({ length: 10 }, () => MIB))).statuses).toEqual([
      413,
    ])
  })

  test('refuses 10 MB in chunks after the first 16 KiB', async () => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), MIB, Buffer.from('\r\n')])
    const chunks = Array.from({ length: 10 }, () => chunk)
    const head = post(['Transfer-Encoding: chunked'], '', path)
    expect((await server.talk(head, ...chunks, '0\r\n\r\n')).statuses).toEqual([413])
  })
})

test('keeps running when a client disconnects, and does not log an internal error', async () => {
  const { statuses } = await server.talk(post(['Content-Length: 100'], `{"username":"${CANARY}`))
  expect(statuses).toEqual([])
  const chunked = post(['Transfer-Encoding: chunked'], '5\r\n{"a":\r\nzz\r\n')
  expect((await server.talk(chunked)).statuses).toEqual([400])
})

describe('large bodies on other paths are not kept', () => {
  test.each(['PUT /api/token/', 'POST /nothing', 'GET /healthz', 'POST /auth/me'])(
    '%s with 10 MB',
    async (line) => {
      const head = `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n`
      const { statuses } = await server.talk(head, ...Array.from({ length: 10 }, () => MIB))
      expect(statuses[0]).toBeOneOf([200, 404, 405])
    },
  )
})

describe('tokens and passwords stay out of the answer', () => {
  test.each([
    ['/api/token/', { username: CANARY, password: CANARY }],
    ['/api/token/refresh/', { refresh: CANARY }],
    ['/api/token/verify/', { token: CANARY }],
    ['/api/token/blacklist/', { refresh: CANARY }],
  ])('%s', async (path, body) => {
    const headers = { authorization: `Bearer ${CANARY}`, cookie: `a=${CANARY}` }
    const answer = await server.ask({
      path: `${path}?x=${CANARY}`,
      headers,
      body: JSON.stringify(body),
    })
    expect(answer.status).toBe(401)
    expect(answer.text).not.toContain(CANARY)
  })
})

describe('for generated input', () => {
  const refusedWith = [400, 401, 413, 415]
  const expectRefused = async (question: RawRequest): Promise<void> => {
    const answer = await server.ask(question)
    expect(answer.status).toBeOneOf(refusedWith)
    expect(answer.headers['www-authenticate']).toBe(
      answer.status === 401 ? 'Bearer realm="api"' : undefined,
    )
    expect(() => JSON.parse(answer.text)).not.toThrow()
  }
  const anyPath = fc.constantFrom(...endpoints.map(({ path }) => path))
  const anyField = fc.constantFrom('username', 'password', 'refresh', 'token', '__proto__', 'x')

  test('any JSON value as the body is refused with a 4xx', async () => {
    const body = fc.oneof(
      fc.json(),
      fc.dictionary(anyField, fc.jsonValue()).map((value) => JSON.stringify(value)),
      fc.dictionary(anyField, fc.string({ unit: 'binary' })).map((value) => JSON.stringify(value)),
    )
    await fc.assert(
      fc.asyncProperty(anyPath, body, (path, text) => expectRefused({ path, body: text })),
      { numRuns: sized(100, 300) },
    )
  })

  test('any bytes as the body of any type are refused with a 4xx', async () => {
    const types = [JSON_TYPE, FORM_TYPE, 'multipart/form-data; boundary=x', 'text/plain']
    await fc.assert(
      fc.asyncProperty(
        anyPath,
        fc.constantFrom(...types),
        fc.uint8Array({ maxLength: 400 }),
        (path, type, body) => expectRefused({ path, headers: { 'content-type': type }, body }),
      ),
      { numRuns: sized(100, 300) },
    )
  })

  test('any change of one byte in a real token is refused and changes nothing', async () => {
    const change = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 127 }) })
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by }) => {
        const bytes = Buffer.from(server.pair.refresh)
        const index = at % bytes.length
        bytes[index] = ((bytes[index] ?? 0) + by) % 128
        const refresh = bytes.toString('latin1')
        // White space at the ends is trimmed, so a changed token may lose a byte.
        fc.pre(refresh.trim() === refresh)
        await expectRefused({ path: '/api/token/refresh/', body: JSON.stringify({ refresh }) })
      }),
      { numRuns: 200 },
    )
    const body = JSON.stringify({ token: server.pair.refresh })
    expect((await server.ask({ path: '/api/token/verify/', body })).status).toBe(200)
  })

  test('no prototype was changed', () => {
    expect('polluted' in {}).toBe(false)
  })
})
