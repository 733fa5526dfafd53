import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { endpoints, FORM_TYPE, JSON_TYPE, named } from './support/contract.ts'
import { exchange, send, type RawAnswer, type RawRequest } from './support/raw.ts'
import { countStored, type Stored } from './support/rows.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'

// The real process, through real sockets. Whatever is sent here, all of this holds at the end: no
// answer was a 5xx, the process lives, it holds little more memory, nothing was stored, and nothing
// that was sent stands in what it printed.

let server: ServerProcess
let pair: { access: string; refresh: string }
let storedBefore: Stored
let residentKibBefore: number
const serverErrors: string[] = []

// Sent in every position where a careless server would log it.
const CANARY = 'canary-3f9c51d7'

beforeAll(async () => {
  server = await startServerProcess({ env: { COUNTERSIGN_LOG_LEVEL: 'debug' } })
  const body = JSON.stringify({ username: ADMIN.username, password: ADMIN.password })
  const login = await ask({ path: '/api/token/', body })
  expect(login.status).toBe(200)
  pair = JSON.parse(login.text) as typeof pair
  storedBefore = countStored(server.dataDir)
  residentKibBefore = residentKib()
})

afterAll(async () => {
  await using closing = server
  expect(serverErrors).toEqual([])
  expect(closing.child.exitCode).toBeNull()
  expect((await fetch(`${closing.url}/readyz`)).status).toBe(200)
  expect(countStored(closing.dataDir)).toEqual(storedBefore)
  expect(residentKib() - residentKibBefore).toBeLessThan(128 * 1024)

  const output = closing.output()
  const signatures = Object.values(pair).map((token) => token.split('.')[2]!)
  for (const secret of [CANARY, ADMIN.password, ...Object.values(pair), ...signatures]) {
    expect(output).not.toContain(secret)
  }
  expect(output).not.toContain('"level":50')
})

async function ask(question: RawRequest): Promise<RawAnswer> {
  const headers = { 'content-type': JSON_TYPE, ...question.headers }
  const answer = await send(server.url, { ...question, headers })
  if (answer.status >= 500) serverErrors.push(`${question.path} ${answer.status}`)
  return answer
}

async function talk(...parts: (string | Uint8Array)[]): ReturnType<typeof exchange> {
  const answer = await exchange(server.url, parts)
  if (answer.statuses.some((status) => status >= 500)) serverErrors.push(answer.text.slice(0, 200))
  return answer
}

function residentKib(): number {
  const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}

/** A POST to /api/token/ as text, up to and with the empty line, then the body as it is. */
function post(headers: readonly string[], body = '', path = '/api/token/'): string {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Type: ${JSON_TYPE}`, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

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
      `{"${field}":"${CANARY}","${field}":"a"}`,
      `{"${field}":"a","\\u00${field.charCodeAt(0).toString(16)}${field.slice(1)}":"b"}`,
      '{"__proto__":{"polluted":1}}',
      '{"x":{"__proto__":null}}',
      `${'['.repeat(8_000)}${']'.repeat(8_000)}`,
      '{"a":'.repeat(3_000),
      `{"a":${'[{"b":'.repeat(2_000)}1${'}]'.repeat(2_000)}}`,
    ]),
  )('refuses what is not JSON: %s', async (_, body) => {
    const answer = await ask({ path, body })
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/^\{"detail":"JSON parse error - [^"]+"\}$/)
  })

  test.each([
    ['invalid UTF-8', [0xff, 0xfe]],
    ['an overlong "A"', [0xc1, 0x81]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an overlong "/" of three bytes', [0xe0, 0x80, 0xaf]],
    ['half a surrogate pair in CESU-8', [0xed, 0xa0, 0xbd]],
    ['a whole surrogate pair in CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
    ['a code point beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ])('refuses %s, in JSON and in a form', async (_, bytes) => {
    const around = (before: string, after: string): Buffer =>
      Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])
    expect((await ask({ path, body: around(`{"${field}":"`, '"}') })).status).toBe(400)

    const headers = { 'content-type': FORM_TYPE }
    expect((await ask({ path, headers, body: around(`${field}=`, '') })).status).toBe(400)
    const escaped = bytes.map((byte) => `%${byte.toString(16)}`).join('')
    expect((await ask({ path, headers, body: `${field}=${escaped}` })).status).toBe(400)
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
    const answer = await ask({ path, body: `{${members.join(',')}}` })
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
  ])('refuses the media type "%s"', async (type) => {
    expect((await ask({ path, headers: { 'content-type': type }, body: '{}' })).status).toBe(415)
  })

  test('decompresses nothing: a bomb stays small', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000, ' '))
    expect(bomb.length).toBeLessThan(16_384)
    const headers = { 'content-encoding': 'gzip' }
    expect((await ask({ path, headers, body: bomb })).status).toBe(415)
  })

  test('reads UTF-16 as what it is not', async () => {
    const answer = await ask({ path, body: Buffer.from('{"a":1}', 'utf16le') })
    expect(answer.status).toBe(400)
  })

  test.each(['a=1&a=2', 'a=1&%61=2', 'a&a'])('refuses the form %s: a field twice', async (body) => {
    const headers = { 'content-type': FORM_TYPE }
    expect((await ask({ path, headers, body })).status).toBe(400)
  })

  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'PURGE', 'M-SEARCH'])(
    'does not take %s, and does nothing',
    async (method) => {
      const body = method === 'TRACE' ? undefined : JSON.stringify({ refresh: pair.refresh })
      const answer = await ask({ path, method, ...(body === undefined ? {} : { body }) })
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('POST, OPTIONS')
    },
  )

  test('refuses 10 MB that are declared, and does not wait for them', async () => {
    const head = post(['Content-Length: 10485760'], '', path)
    const { statuses } = await talk(head)
    expect(statuses).toEqual([413])
    expect((await talk(head, ...Array.from({ length: 10 }, () => MIB))).statuses).toEqual([413])
  })

  test('refuses 10 MB in chunks after the first 16 KiB', async () => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), MIB, Buffer.from('\r\n')])
    const chunks = Array.from({ length: 10 }, () => chunk)
    const head = post(['Transfer-Encoding: chunked'], '', path)
    expect((await talk(head, ...chunks, '0\r\n\r\n')).statuses).toEqual([413])
  })

  test('outlives a client that breaks off', async () => {
    const { statuses } = await talk(post(['Content-Length: 100'], `{"${field}":"${CANARY}`, path))
    expect(statuses).toEqual([])
    const chunked = post(['Transfer-Encoding: chunked'], '5\r\n{"a":\r\nzz\r\n', path)
    expect((await talk(chunked)).statuses).toEqual([400])
  })
})

describe('large bodies elsewhere are not kept', () => {
  test.each(['PUT /api/token/', 'POST /nothing', 'GET /healthz', 'POST /auth/me'])(
    '%s with 10 MB',
    async (line) => {
      const head = `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n`
      const { statuses } = await talk(head, ...Array.from({ length: 10 }, () => MIB))
      expect(statuses[0]).toBeOneOf([200, 404, 405])
    },
  )
})

describe('request lines', () => {
  test.each([
    ['CONNECT evil.test:443 HTTP/1.1', []],
    ['CONNECT /api/token/ HTTP/1.1', []],
    ['BREW /api/token/ HTTP/1.1', [400]],
    ['post /api/token/ HTTP/1.1', [400]],
    ['GET healthz HTTP/1.1', [400]],
    ['GET /healthz HTTP/9.9', [400]],
    ['PRI * HTTP/2.0', [400]],
    ['OPTIONS * HTTP/1.1', [400]],
    ['GET /health\0z HTTP/1.1', [400]],
    ['GET /h\u00e9 HTTP/1.1', [400]],
    ['GET /%zz HTTP/1.1', [404]],
    ['GET /%ff%fe HTTP/1.1', [404]],
    ['GET http://[/healthz HTTP/1.1', [400]],
    ['GET ftp://x/healthz HTTP/1.1', [400]],
    ['\x16\x03\x01\x02\x00\x01\x00', [400]],
  ])('%j', async (line, statuses) => {
    const bytes = Buffer.from(`${line}\r\nHost: x\r\n\r\n`, 'latin1')
    expect((await talk(bytes)).statuses).toEqual(statuses)
  })

  test('an absolute target names the path, and its host is ignored', async () => {
    const { text } = await talk('GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).not.toContain('evil')
  })

  test('HTTP/1.0 may leave out the Host, HTTP/1.1 may not', async () => {
    expect((await talk('GET /healthz HTTP/1.0\r\n\r\n')).statuses).toEqual([200])
    expect((await talk('GET /healthz HTTP/1.1\r\n\r\n')).statuses).toEqual([400])
  })
})

describe('paths', () => {
  const credentials = JSON.stringify({ username: 'nobody', password: CANARY })

  // Each of these is either not found or the very same endpoint: nothing in between.
  test.each([
    ['//api/token/', 404],
    ['/api//token/', 404],
    ['/API/TOKEN/', 404],
    ['/api/token/;x=y', 404],
    ['/api/token;x=y/', 404],
    ['/api/token/x', 404],
    ['/api/token//', 404],
    ['/api/token/%00', 404],
    ['/api/token%2f', 404],
    ['/api%2ftoken/', 404],
    ['/api/token/../../etc/passwd', 404],
    ['/../../../../etc/passwd', 404],
    ['/%2e%2e/%2e%2e/etc/passwd', 404],
    ['/..%2f..%2fetc%2fpasswd', 404],
    ['/api/./token/', 401],
    ['/api/%2e/token/', 401],
    ['/x/../api/token/', 401],
    ['/api/%74oken/', 401],
    ['/api/token/?next=/', 401],
    ['/api/token/?username=admin&password=x', 401],
    ['/api/token', 401],
  ])('%s answers %i', async (path, status) => {
    const answer = await ask({ path, body: credentials })
    expect(answer.status).toBe(status)
    const isEndpoint = answer.headers['content-type'] === 'application/json'
    expect(isEndpoint).toBe(status === 401)
  })
})

describe('headers', () => {
  test.each([
    ['one of 32 KB', `X-A: ${'a'.repeat(32_768)}`, 431],
    ['a cookie of 20 KB', `Cookie: ${'a'.repeat(20_480)}`, 431],
    ['an Authorization of 20 KB', `Authorization: Bearer ${'a'.repeat(20_480)}`, 431],
    ['5,000 of them', Array.from({ length: 5_000 }, () => 'X: a').join('\r\n'), 431],
    ['200 of them', Array.from({ length: 200 }, (_, at) => `X-${at}: a`).join('\r\n'), 200],
    [
      '300 cookies',
      `Cookie: ${Array.from({ length: 300 }, (_, at) => `c${at}=a`).join('; ')}`,
      200,
    ],
    ['a folded line', 'X-A: b\r\n c', 400],
    ['NUL', 'X-A: b\0c', 400],
    ['a bare line feed', 'X-A: b\nX-B: c', 400],
    ['a space before the colon', 'X-A : b', 400],
    ['an empty name', ': b', 400],
    ['an unknown expectation', 'Expect: banana', 417],
    ['an upgrade to nowhere', 'Connection: upgrade\r\nUpgrade: h2c', 200],
    [
      'every forwarding one',
      'X-Forwarded-Host: evil\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=x',
      200,
    ],
  ])('%s', async (_, lines, status) => {
    const { statuses } = await talk(`GET /healthz HTTP/1.1\r\nHost: x\r\n${lines}\r\n\r\n`)
    expect(statuses).toEqual([status])
  })

  test.each(['evil.test', 'evil.test:99999', 'a b', 'x@y', 'x/y', '[::', '', '..', 'x\r\nHost: y'])(
    'Host: %j changes nothing and breaks nothing',
    async (host) => {
      const { statuses, text } = await talk(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      expect(statuses).toHaveLength(1)
      expect(statuses[0]).toBeOneOf([200, 400])
      expect(text).not.toContain('evil')
    },
  )

  test('a client that sends its headers slowly is not answered, and hinders nobody', async () => {
    const slow = talk('GET /healthz HTTP/1.1\r\nHost: x\r\n')
    expect((await ask({ method: 'GET', path: '/healthz' })).status).toBe(200)
    expect((await slow).statuses).toEqual([])
  })
})

describe('smuggling', () => {
  // Whatever comes after the first request must never be seen as a second one.
  const second = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'

  test.each([
    ['two lengths that differ', ['Content-Length: 2', 'Content-Length: 40']],
    ['two lengths that agree', ['Content-Length: 2', 'Content-Length: 2']],
    ['a list of lengths', ['Content-Length: 2, 2']],
    ['a length and chunks', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 2']],
    ['a space before the colon', ['Transfer-Encoding : chunked']],
    ['a tab before the value', ['Transfer-Encoding:\x0bchunked']],
    ['two encodings', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']],
    ['an encoding that is none', ['Transfer-Encoding: xchunked']],
    ['identity', ['Transfer-Encoding: identity']],
    ['a negative length', ['Content-Length: -1']],
    ['a signed length', ['Content-Length: +2']],
    ['a hexadecimal length', ['Content-Length: 0x2']],
    ['a length beyond all numbers', ['Content-Length: 99999999999999999999']],
    ['a length with a space', ['Content-Length: 2 2']],
  ])('%s', async (_, headers) => {
    const { statuses, closedByServer } = await talk(post(headers, `{}0\r\n\r\n${second}`))
    expect({ statuses, closedByServer }).toEqual({ statuses: [400], closedByServer: true })
  })

  test.each(['zz\r\n', '-2\r\n{}\r\n0\r\n\r\n', '2\n{}\n0\n\n', 'ffffffffffffffffff\r\n{}'])(
    'the chunks %j',
    async (chunks) => {
      const answer = await talk(post(['Transfer-Encoding: chunked'], chunks + second))
      expect(answer.statuses).toEqual([400])
      expect(answer.closedByServer).toBe(true)
    },
  )

  test('requests that are pipelined are answered in order', async () => {
    const first = post(['Content-Length: 2'], '{}')
    const third = post(['Content-Length: 4'], 'null')
    const last = 'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const { statuses, text } = await talk(first + second + third + last)
    expect(statuses).toEqual([400, 200, 400, 404])
    expect(text).toMatch(/required.*ok.*No data provided.*not_found/s)
  })
})

describe('tokens and passwords stay out of the answer', () => {
  test.each([
    ['/api/token/', { username: CANARY, password: CANARY }],
    ['/api/token/refresh/', { refresh: CANARY }],
    ['/api/token/verify/', { token: CANARY }],
    ['/api/token/blacklist/', { refresh: CANARY }],
  ])('%s', async (path, body) => {
    const headers = { authorization: `Bearer ${CANARY}`, cookie: `a=${CANARY}` }
    const answer = await ask({ path: `${path}?x=${CANARY}`, headers, body: JSON.stringify(body) })
    expect(answer.status).toBe(401)
    expect(answer.text).not.toContain(CANARY)
  })
})

describe('whatever is sent', () => {
  const refusedWith = [400, 401, 413, 415]
  const expectRefused = async (question: RawRequest): Promise<void> => {
    const answer = await ask(question)
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
      { numRuns: 300 },
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
      { numRuns: 300 },
    )
  })

  test('any change of one byte in a real token is refused, and harms nobody', async () => {
    const change = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 127 }) })
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by }) => {
        const bytes = Buffer.from(pair.refresh)
        const index = at % bytes.length
        bytes[index] = ((bytes[index] ?? 0) + by) % 128
        const refresh = bytes.toString('latin1')
        // White space at either end is trimmed, so one byte less may remain of it.
        fc.pre(refresh.trim() === refresh)
        await expectRefused({ path: '/api/token/refresh/', body: JSON.stringify({ refresh }) })
      }),
      { numRuns: 200 },
    )
    const body = JSON.stringify({ token: pair.refresh })
    expect((await ask({ path: '/api/token/verify/', body })).status).toBe(200)
  })

  test('no prototype was changed on the way', () => {
    expect('polluted' in {}).toBe(false)
  })
})
