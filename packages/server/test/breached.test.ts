import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { checkBreachedFile, isInFile } from '../src/accounts/breached-file.ts'
import { isListed } from '../src/accounts/breached-range.ts'
import { createBreachedPasswords } from '../src/accounts/breached.ts'
import { limits } from '../src/base/limits.ts'
import { parseSettings } from '../src/settings.ts'
import { openTestAuthority, type TestAuthority } from './support/authority.ts'
import { logTo } from './support/log-lines.ts'
import { sha1Of, startRangeService, type RangeService } from './support/range-service.ts'

const BREACHED = 'umbrella kettle walnut'

let folder: string
let lines: Record<string, unknown>[]
let people: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-breached-'))
  lines = []
  people = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (breachedPasswords: string): Promise<TestAuthority> =>
  openTestAuthority({ breachedPasswords, signUp: true, logger: logTo(lines) })

/** Signs up with a password. Returns the status and the code. */
async function signUp(it: TestAuthority, password: string): Promise<unknown[]> {
  people += 1
  const response = await it.post('/auth/signup', { username: `person-${people}`, password })
  const { code } = (await response.json()) as { code?: string }
  return [response.status, code]
}

const REFUSED = [400, 'password_compromised']
const ACCEPTED = [201, undefined]

describe('a range service', () => {
  let service: RangeService
  let it: TestAuthority
  beforeEach(async () => {
    service = await startRangeService()
    service.breach(BREACHED)
    it = await open(service.url)
    service.requests.length = 0
  })
  afterEach(async () => {
    await it[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  test('gets five digits of the SHA-1, asks for padding, and nothing else', async () => {
    expect(await signUp(it, BREACHED)).toEqual(REFUSED)
    expect(service.requests).toHaveLength(1)
    const [{ path, headers }] = service.requests as [RangeService['requests'][number]]
    expect(path).toBe(`/range/${sha1Of(BREACHED).slice(0, 5)}`)
    expect(headers).toMatchObject({ 'add-padding': 'true' })
    const sent = JSON.stringify([path, headers])
    for (const secret of [BREACHED, sha1Of(BREACHED).slice(5)]) expect(sent).not.toContain(secret)
  })

  test('is not asked about a password that the rules reject', async () => {
    expect(await signUp(it, 'short')).toEqual([400, 'password_too_short'])
    expect(await signUp(it, 'passwordpassword')).toEqual([400, 'password_common'])
    expect(service.requests).toEqual([])
  })

  test('pads with the count 0, which does not count', async () => {
    service.breach('a password of padding', 0)
    expect(await signUp(it, 'a password of padding')).toEqual(ACCEPTED)
  })

  test('knows a password in both compositions', async () => {
    service.breach('caf\u00e9 kettle walnut')
    expect(await signUp(it, 'cafe\u0301 kettle walnut')).toEqual(REFUSED)
  })

  const endless = (response: ServerResponse): void => {
    const write = (): void => {
      while (!response.destroyed && response.write(`${'A'.repeat(35)}:1\r\n`.repeat(100)));
    }
    response.on('drain', write)
    write()
  }
  const outages: readonly (readonly [
    name: string,
    answer: (response: ServerResponse) => void,
    logged: object,
  ])[] = [
    ['503', (response) => response.writeHead(503).end(), { reason: 'status', status: 503 }],
    ['404', (response) => response.writeHead(404).end(), { reason: 'status', status: 404 }],
    ['a page', (response) => response.end('<html>Log in</html>'), { reason: 'malformed' }],
    [
      'a redirect',
      (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
      { reason: 'redirected' },
    ],
    ['an endless answer', endless, { reason: 'too_large' }],
    [
      'an answer that stops',
      (response) => response.write('0000000000000000000000000000000000A:1\r\n'),
      { reason: 'timeout' },
    ],
    ['no answer', () => {}, { reason: 'timeout' }],
    [
      'a closed connection',
      (response) => response.destroy(),
      { reason: 'unreachable', code: 'UND_ERR_SOCKET' },
    ],
  ]

  test.each(outages)(
    'P25 %s: people go on, one line is logged, and the next ones do not wait',
    async (_name, answer, logged) => {
      service.misbehave(answer)
      expect(await signUp(it, BREACHED)).toEqual(ACCEPTED)
      expect(await signUp(it, BREACHED)).toEqual(ACCEPTED)
      expect(service.requests).toHaveLength(1)
      expect(lines).toHaveLength(1)
      const { time: _, pid: __, hostname: ___, ...line } = lines[0] ?? {}
      expect(line).toEqual({ level: 40, event: 'breached_passwords_unavailable', ...logged })
      const [prefix, rest] = [sha1Of(BREACHED).slice(0, 5), sha1Of(BREACHED).slice(5)]
      for (const secret of [BREACHED, prefix, rest]) {
        expect(JSON.stringify(line)).not.toContain(secret)
      }
    },
  )

  test('P25 no service: people go on', async () => {
    await service.stop()
    expect(await signUp(it, BREACHED)).toEqual(ACCEPTED)
    expect(lines).toMatchObject([{ reason: 'unreachable', code: 'ECONNREFUSED' }])
  })

  test('P25 twenty people at once during an outage get one line', async () => {
    service.misbehave((response) => response.writeHead(500).end())
    const breached = createBreachedPasswords(
      { kind: 'service', url: service.url },
      { elapsed: () => performance.now(), onFailure: (failure) => lines.push({ ...failure }) },
    )
    const answers = await Promise.all(Array.from({ length: 20 }, () => breached.includes(BREACHED)))
    expect(new Set(answers)).toEqual(new Set([false]))
    expect(lines).toEqual([{ reason: 'status', status: 500 }])
  })

  test('is asked again ten seconds after a failure', async () => {
    let now = 0
    const breached = createBreachedPasswords(
      { kind: 'service', url: service.url },
      { elapsed: () => now, onFailure: (failure) => lines.push({ ...failure }) },
    )
    service.misbehave((response) => response.writeHead(500).end())
    expect(await breached.includes(BREACHED)).toBe(false)
    service.misbehave(undefined)
    now = limits.breachedPauseMs - 1
    expect(await breached.includes(BREACHED)).toBe(false)
    now = limits.breachedPauseMs
    expect(await breached.includes(BREACHED)).toBe(true)
    expect([service.requests.length, lines.length]).toEqual([2, 1])
  })

  test('gets a bounded number of requests at once, and further people are asked to wait', async () => {
    const held: ServerResponse[] = []
    service.misbehave((response) => held.push(response))
    const breached = createBreachedPasswords(
      { kind: 'service', url: service.url },
      { elapsed: () => 0, onFailure: () => {} },
    )
    const running = Array.from({ length: limits.breachedLookUpsMax }, () =>
      breached.includes(BREACHED),
    )
    expect(await breached.includes(BREACHED)).toBeUndefined()
    await expect.poll(() => held.length).toBeGreaterThan(0)
    for (const response of held) response.end()
    expect((await Promise.all(running)).every((answer) => answer === false)).toBe(true)
  })
})

describe('an answer', () => {
  const suffix = 'A'.repeat(35)

  test.each([
    ['the only line', `${suffix}:1`, true],
    ['among others', `${'0'.repeat(35)}:4\r\n${suffix}:12\r\n${'F'.repeat(35)}:9\r\n`, true],
    ['in small letters', `${suffix.toLowerCase()}:3\n`, true],
    ['with the count 0', `${suffix}:0`, false],
    ['empty', '', false],
    ['without it', `${'0'.repeat(35)}:4`, false],
  ])('%s', (_, answer, isFound) => {
    expect(isListed(answer, suffix)).toBe(isFound)
  })

  test.each([
    ['a page', '<html>'],
    ['a whole hash', `00000${suffix}:1`],
    ['no count', suffix],
    ['a negative count', `${suffix}:-1`],
    ['a page after the line', `${suffix}:1\n<html>`],
  ])('is malformed: %s', (_, answer) => {
    expect(() => isListed(answer, suffix)).toThrow('malformed')
  })
})

describe('a file', () => {
  const passwords = Array.from({ length: 2_000 }, (_, n) => `breached kettle number ${n}`)
  const sorted = passwords.toSorted((a, b) => (sha1Of(a) < sha1Of(b) ? -1 : 1))

  function write(name: string, text: string): string {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  const setting = (path: string): string => pathToFileURL(path).href

  test.each(['\n', '\r\n'])('is searched at its ends and in between, with %j', async (end) => {
    const text = sorted.map((each, n) => `${sha1Of(each)}:${n + 1}`).join(end)
    await using it = await open(setting(write('pwned.txt', text)))
    for (const at of [0, 1, 999, 1_000, 1_998, 1_999]) {
      expect(await signUp(it, sorted[at]!)).toEqual(REFUSED)
    }
    expect(await signUp(it, 'not a breached kettle')).toEqual(ACCEPTED)
    expect(lines).toEqual([])
  })

  test('finds exactly the hashes that it has, whatever their number and line breaks', async () => {
    const hash = fc
      .uint8Array({ minLength: 20, maxLength: 20 })
      .map((bytes) => Buffer.from(bytes).toString('hex').toUpperCase())
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(hash, { minLength: 1, maxLength: 600, size: 'max' }),
        fc.uniqueArray(hash, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 999_999_999_999_999 }),
        async (known, others, end, endsWithBreak, countMax) => {
          const text = known
            .toSorted()
            .map((each, n) => `${each}:${1 + ((n * 7_919) % countMax)}`)
            .join(end)
          const path = write('property.txt', endsWithBreak ? text + end : text)
          await checkBreachedFile(path)
          for (const each of [...known.slice(0, 40), ...known.slice(-40)]) {
            expect(await isInFile(path, each)).toBe(true)
          }
          for (const each of others) expect(await isInFile(path, each)).toBe(known.includes(each))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('with the count 0 is no breach', async () => {
    const path = write('padding.txt', `${sha1Of(BREACHED)}:0\n`)
    expect(await isInFile(path, sha1Of(BREACHED))).toBe(false)
  })

  test.each([
    ['empty', ''],
    ['no list', 'hello\n'],
    ['NTLM hashes', `${'0'.repeat(32)}:1\n`],
    ['ordered by count', `${'F'.repeat(40)}:9\n${'0'.repeat(40)}:1\n`],
  ])('that is %s stops the start, and the message names the setting', async (_, text) => {
    const path = write('wrong.txt', text)
    await expect(open(setting(path))).rejects.toThrow(
      /^COUNTERSIGN_BREACHED_PASSWORDS: the file .*wrong\.txt is not a sorted list/,
    )
  })

  test('that is missing, or a folder, stops the start', async () => {
    for (const path of [join(folder, 'nowhere.txt'), folder]) {
      await expect(open(setting(path))).rejects.toMatchObject({
        name: 'SetupError',
        message: expect.stringMatching(/^COUNTERSIGN_BREACHED_PASSWORDS: .* cannot be read/),
      })
    }
  })

  test('that is gone or damaged later stops nobody, and one line is logged', async () => {
    const path = write('pwned.txt', sorted.map((each) => `${sha1Of(each)}:1`).join('\n'))
    for (const damage of [
      () => rmSync(path),
      () => writeFileSync(path, 'x'.repeat(100_000)),
      () => writeFileSync(path, `${'x'.repeat(20)}\n`.repeat(1_000)),
    ]) {
      writeFileSync(path, sorted.map((each) => `${sha1Of(each)}:1`).join('\n'))
      await using it = await open(setting(path))
      damage()
      expect(await signUp(it, sorted[0]!)).toEqual(ACCEPTED)
    }
    expect(lines).toMatchObject([
      { event: 'breached_passwords_unavailable', reason: 'unreachable', code: 'ENOENT' },
      { reason: 'malformed' },
      { reason: 'malformed' },
    ])
  })
})

describe('the setting', () => {
  const parse = (breachedPasswords: string, more = {}): unknown =>
    parseSettings({ breachedPasswords, ...more }, { production: false }).breachedPasswords

  test('is off unless it is set', () => {
    expect(parseSettings({}, { production: false }).breachedPasswords).toBeUndefined()
    expect(parse('off')).toBeUndefined()
  })

  test.each([
    ['https://pwned.example.com/range/'],
    ['https://pwned.example.com/?range='],
    ['http://localhost:8080/range/'],
    ['http://127.0.0.1/range/'],
  ])('accepts %s', (url) => {
    expect(parse(url)).toEqual({ kind: 'service', url })
  })

  test.each([
    ['file:/var/lib/pwned.txt', '/var/lib/pwned.txt'],
    ['file:///var/lib/pwned%20list.txt', '/var/lib/pwned list.txt'],
  ])('accepts %s', (url, path) => {
    expect(parse(url)).toEqual({ kind: 'file', path })
  })

  test('accepts plain http in a private network like the public URL', () => {
    const url = 'http://pwned.internal/range/'
    expect(parse(url, { allowPrivateHttp: true })).toEqual({ kind: 'service', url })
    expect(() => parse(url)).toThrow('COUNTERSIGN_BREACHED_PASSWORDS: must begin with https://')
  })

  test.each([
    ['http://pwned.example.com/range/'],
    ['https://pwned.example.com/range'],
    ['https://user:secret@pwned.example.com/range/'],
    ['https://pwned.example.com/range/#/'],
    ['ftp://pwned.example.com/range/'],
    ['file:pwned.txt'],
    ['file:./pwned.txt'],
    ['file://host/pwned.txt'],
    ['file:/var%2fpwned.txt'],
    ['/var/lib/pwned.txt'],
    ['on'],
    [''],
  ])('rejects %j', (value) => {
    expect(() => parse(value, { allowPrivateHttp: true })).toThrow(
      'COUNTERSIGN_BREACHED_PASSWORDS: must ',
    )
  })
})
