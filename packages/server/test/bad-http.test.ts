import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { CANARY, post, startHostileTarget, type HostileTarget } from './support/hostile-target.ts'

// Malformed requests apart from the body: request lines, paths, headers, and the boundary between requests.
// `expectUnharmed` has the conditions after each of them.

let server: HostileTarget
beforeAll(async () => {
  server = await startHostileTarget()
})
afterEach(() => server.expectUnharmed())
afterAll(() => server.end())

// Closes the connection after the answer, so that the test does not wait for more.
const CLOSE = 'Connection: close\r\n'

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
    const bytes = Buffer.from(`${line}\r\n${CLOSE}Host: x\r\n\r\n`, 'latin1')
    expect((await server.talk(bytes)).statuses).toEqual(statuses)
  })

  test('A19 an absolute target names the path, and its host is ignored', async () => {
    const { text } = await server.talk('GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).not.toContain('evil')
  })

  test('HTTP/1.0 may leave out the Host, HTTP/1.1 may not', async () => {
    expect((await server.talk('GET /healthz HTTP/1.0\r\n\r\n')).statuses).toEqual([200])
    expect((await server.talk('GET /healthz HTTP/1.1\r\n\r\n')).statuses).toEqual([400])
  })
})

describe('A20 paths', () => {
  const credentials = JSON.stringify({ username: 'nobody', password: CANARY })

  // Each of these paths is either not found or exactly the same endpoint.
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
    ['/api/./token/', 404],
    ['/api/%2e/token/', 404],
    ['/x/../api/token/', 404],
    ['/api/%74oken/', 404],
    ['/api/token/.', 404],
    ['/api/token/#', 404],
    ['/api/token#/x', 404],
    ['/api/token/#?x', 404],
    ['http://x/api/token/#x', 404],
    ['/api/token/\\', 404],
    ['/auth/login', 403],
    ['/auth/login/', 403],
    ['/auth/login//', 404],
    ['/AUTH/login', 404],
    ['/auth/login;x=y', 404],
    ['/auth/%6cogin', 404],
    ['//auth/login', 404],
    ['/auth/./login', 404],
    ['/auth/login#', 404],
    ['/api/token/?next=/', 401],
    ['/api/token/?username=admin&password=x', 401],
    ['/api/token', 401],
  ])('%s answers %i', async (path, status) => {
    const answer = await server.ask({ path, body: credentials })
    expect(answer.status).toBe(status)
    const isEndpoint = answer.headers['content-type'] === 'application/json'
    expect(isEndpoint).toBe(status === 401)
  })
})

describe('A22 headers', () => {
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
    ['an upgrade to nowhere', 'Connection: upgrade, close\r\nUpgrade: h2c', 200],
    [
      'every forwarding one',
      'X-Forwarded-Host: evil\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=x',
      200,
    ],
  ])('%s', async (_, lines, status) => {
    const { statuses } = await server.talk(
      `GET /healthz HTTP/1.1\r\nHost: x\r\n${CLOSE}${lines}\r\n\r\n`,
    )
    expect(statuses).toEqual([status])
  })

  test.each(['evil.test', 'evil.test:99999', 'a b', 'x@y', 'x/y', '[::', '', '..', 'x\r\nHost: y'])(
    'A19 Host: %j changes nothing and breaks nothing',
    async (host) => {
      const { statuses, text } = await server.talk(
        `GET / HTTP/1.1\r\n${CLOSE}Host: ${host}\r\n\r\n`,
      )
      expect(statuses).toHaveLength(1)
      expect(statuses[0]).toBeOneOf([200, 400])
      expect(text).not.toContain('evil')
    },
  )

  test('a client that sends its headers slowly gets no answer and does not delay other clients', async () => {
    const slow = server.talk('GET /healthz HTTP/1.1\r\nHost: x\r\n')
    expect((await server.ask({ method: 'GET', path: '/healthz' })).status).toBe(200)
    expect((await slow).statuses).toEqual([])
  })
})

describe('A16 smuggling', () => {
  // The bytes after the first request must never be read as a second request.
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
    ['a compressed body in chunks', ['Transfer-Encoding: gzip, chunked']],
    ['a deflated body in chunks', ['Transfer-Encoding: deflate', 'Transfer-Encoding: chunked']],
    ['chunks in chunks', ['Transfer-Encoding: chunked, chunked']],
    ['two hosts', ['Host: y', 'Content-Length: 2']],
    ['the same host twice', ['HOST: x', 'Content-Length: 2']],
    ['identity', ['Transfer-Encoding: identity']],
    ['a negative length', ['Content-Length: -1']],
    ['a signed length', ['Content-Length: +2']],
    ['a hexadecimal length', ['Content-Length: 0x2']],
    ['a length beyond all numbers', ['Content-Length: 99999999999999999999']],
    ['a length with a space', ['Content-Length: 2 2']],
  ])('%s', async (_, headers) => {
    const { statuses, closedByServer } = await server.talk(post(headers, `{}0\r\n\r\n${second}`))
    expect({ statuses, closedByServer }).toEqual({ statuses: [400], closedByServer: true })
  })

  test.each(['zz\r\n', '-2\r\n{}\r\n0\r\n\r\n', '2\n{}\n0\n\n', 'ffffffffffffffffff\r\n{}'])(
    'the chunks %j',
    async (chunks) => {
      const answer = await server.talk(post(['Transfer-Encoding: chunked'], chunks + second))
      expect(answer.statuses).toEqual([400])
      expect(answer.closedByServer).toBe(true)
    },
  )

  test('pipelined requests are answered in order', async () => {
    const first = post(['Content-Length: 2'], '{}')
    const third = post(['Content-Length: 4'], 'null')
    const last = 'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const { statuses, text } = await server.talk(first + second + third + last)
    expect(statuses).toEqual([400, 200, 400, 404])
    expect(text).toMatch(/required.*ok.*No data provided.*not_found/s)
  })
})
