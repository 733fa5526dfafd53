import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { limits } from '../src/base/limits.ts'
import {
  launcher,
  runCommand,
  runProgram,
  type CommandOptions,
  type CommandResult,
} from './support/command-line.ts'
import type { Pair } from './support/authority.ts'
import { execute, query } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import { canMount } from './support/mounts.ts'
import { ADMIN, freePort, startServerProcess } from './support/server-process.ts'

const SECRET = 'a secret of this test alone 0123456789'
const NOBODY = 65_534
// A readiness check writes to the disk, so its answer is cached for a second.
const READINESS_KEPT_MS = 1_050
// A connection that delayed the exit would do so for this long.
const DRAIN_MS = limits.drainMs

let dataDir: string
beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'countersign-start-')), 'data')
})
afterEach(() => rmSync(join(dataDir, '..'), { recursive: true, force: true }))

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

/** Starts a server that must fail. Returns the one line that it prints on standard error. */
async function failToStart(options: Partial<CommandOptions> = {}): Promise<string> {
  return onlyLine(await runCommand(['start'], await startOptions(options)))
}

async function startOptions({ env, ...options }: Partial<CommandOptions>): Promise<CommandOptions> {
  const admin = { COUNTERSIGN_ADMIN_PASSWORD: ADMIN.password }
  return {
    dataDir,
    cwd: tmpdir(),
    env: { PORT: String(await freePort()), ...admin, ...env },
    ...options,
  }
}

function onlyLine({ code, stderr }: CommandResult): string {
  expect(code).toBe(1)
  expect(stderr).toMatch(/^[^\n]+\n$/)
  return stderr.trimEnd()
}

describe('the first start', () => {
  const noPassword = { COUNTERSIGN_ADMIN_PASSWORD: '' }

  test('prints a password once, and the second start does not', async () => {
    const shown: string[] = []
    for (const starts of [1, 2]) {
      await using server = await startServerProcess({ dataDir, env: noPassword })
      const password = /Its password: +(\S+)/.exec(server.output())?.[1]
      expect(password === undefined).toBe(starts === 2)
      if (password !== undefined) shown.push(password)
      const http = new HttpClient(server.url)
      await http.login({ username: 'admin', password: shown[0]! })
      http.close()
      await server.stop()
      expect(server.output().split(shown[0]!).length - 1).toBe(starts === 1 ? 2 : 0)
    }
    expect(shown[0]).toMatch(/^[\w-]{20}$/)
  })

  test('prints the password also when it fails after creating the account', async () => {
    await using taken = await takePort()
    const env = { ...noPassword, PORT: String(taken.port) }
    const result = await runCommand(['start'], await startOptions({ env }))
    const password = /Its password: +(\S+)/.exec(result.stdout)?.[1] ?? ''
    expect(onlyLine(result)).toContain('is used by another program')

    await using server = await startServerProcess({ dataDir, env: noPassword })
    expect(server.output()).not.toContain('Its password')
    const http = new HttpClient(server.url)
    await http.login({ username: 'admin', password })
    http.close()
  })

  test('in production prints no password, and creates no account without one', async () => {
    const env = {
      NODE_ENV: 'production',
      COUNTERSIGN_SECRET: SECRET,
      COUNTERSIGN_PUBLIC_URL: 'https://auth.example',
    }
    await using server = await startServerProcess({ dataDir, env: { ...env, ...noPassword } })
    expect(server.output()).not.toMatch(/password/i)
    expect(query(dataDir, 'SELECT * FROM accounts')).toEqual([])
    expect(existsSync(join(dataDir, 'secret'))).toBe(false)
  })

  test.each(['700', '755'])(
    'creates no files that other users can read, in a directory of mode %s',
    async (mode) => {
      if (mode === '755') {
        mkdirSync(dataDir)
        chmodSync(dataDir, 0o755)
      }
      await using server = await startServerProcess({ dataDir })
      const http = new HttpClient(server.url)
      await http.login(ADMIN)
      http.close()
      expect(modeOf(dataDir)).toBe(mode)
      const files = readdirSync(dataDir)
      expect(files).toEqual(
        expect.arrayContaining(['countersign.db', 'countersign.db-wal', 'secret']),
      )
      expect(files.map((name) => [name, modeOf(join(dataDir, name))])).toEqual(
        files.map((name) => [name, '600']),
      )
    },
  )

  test.each([
    [
      'ADMIN_PASSWORD',
      'short',
      'The new password is too short. Choose one of at least 12 characters.',
    ],
    ['ADMIN_USERNAME', 'ad  min', 'A username must not contain two spaces in a row.'],
  ])('names a COUNTERSIGN_%s that cannot be', async (name, value, problem) => {
    expect(await failToStart({ env: { [`COUNTERSIGN_${name}`]: value } })).toBe(
      `COUNTERSIGN_ADMIN_USERNAME or COUNTERSIGN_ADMIN_PASSWORD: ${problem}`,
    )
  })
})

interface TakenPort extends AsyncDisposable {
  readonly port: number
}

function takePort(): Promise<TakenPort> {
  const other = createServer()
  return new Promise((resolve) => {
    other.listen(0, '127.0.0.1', () =>
      resolve({
        port: (other.address() as AddressInfo).port,
        [Symbol.asyncDispose]: () => new Promise((closed) => other.close(() => closed())),
      }),
    )
  })
}

describe('a start that fails prints the reason in one line', () => {
  test.each([
    ['empty', ''],
    ['cut off', 'c2hvcnQ'],
  ])('the secret file is %s', async (_, text) => {
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'secret'), text, { mode: 0o600 })
    expect(await failToStart({})).toMatch(/^The secret .* is empty or cut off\./)
  })

  test('the port is taken', async () => {
    await using taken = await takePort()
    expect(await failToStart({ env: { PORT: String(taken.port) } })).toBe(
      `Port ${taken.port} on 127.0.0.1 is used by another program. Stop that program, or set PORT to another port.`,
    )
  })

  test('the address does not belong to this machine', async () => {
    expect(await failToStart({ env: { HOST: '192.0.2.1' } })).toMatch(
      /^The server cannot listen on 192\.0\.2\.1:\d+: .*EADDRNOTAVAIL/,
    )
  })

  test('the data directory cannot be written', async () => {
    // Root may write everywhere, so this runs as another user.
    mkdirSync(dataDir)
    chmodSync(join(dataDir, '..'), 0o755)
    const line = await failToStart({ uid: NOBODY })
    expect(line).toContain(`The data directory ${dataDir} cannot be used: `)
    expect(line).toContain('permission denied')
  })

  test('the data directory cannot be created', async () => {
    chmodSync(join(dataDir, '..'), 0o755)
    expect(await failToStart({ uid: NOBODY })).toMatch(
      /^The data directory .* cannot be created: .*Make it writable, or set COUNTERSIGN_DATA_DIR\.$/,
    )
  })

  test('the data directory is a file', async () => {
    writeFileSync(dataDir, '')
    expect(await failToStart()).toMatch(/^The data directory .* cannot be created: /)
  })

  test('the database is a directory', async () => {
    mkdirSync(join(dataDir, 'countersign.db'), { recursive: true })
    expect(await failToStart()).toMatch(/^The database .*countersign\.db cannot be used: /)
  })

  test.each([
    ['text', Buffer.from('this is no database, but a text that is long enough\n'.repeat(40))],
    ['noise', Buffer.from(Array.from({ length: 8_192 }, (_, i) => (i * 197 + 13) & 0xff))],
    ['half a header', Buffer.from('SQLite form')],
  ])('the database is %s', async (_, bytes) => {
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'countersign.db'), bytes)
    expect(await failToStart()).toMatch(/^The database .*countersign\.db cannot be used: /)
    expect(readFileSync(join(dataDir, 'countersign.db'))).toEqual(bytes)
  })

  test('the database was written by a newer version', async () => {
    await (await startServerProcess({ dataDir })).stop()
    execute(dataDir, 'PRAGMA user_version = 9000')
    expect(await failToStart()).toMatch(
      /^The database .* was written by a newer version \(schema 9000, this one knows \d+\)\. Start that version, or restore an older copy\.$/,
    )
  })

  test('the secret differs from the one that sealed the keys', async () => {
    const server = await startServerProcess({ dataDir, env: { COUNTERSIGN_SECRET: SECRET } })
    await server.stop()
    const another = { COUNTERSIGN_SECRET: SECRET.replace('test', 'show') }
    const line = await failToStart({ env: another })
    expect(line).toMatch(/^COUNTERSIGN_SECRET does not open the signing keys in the database\./)
    expect(line).not.toContain(another.COUNTERSIGN_SECRET)
  })

  test('the secret can be read by others', async () => {
    await (await startServerProcess({ dataDir })).stop()
    chmodSync(join(dataDir, 'secret'), 0o640)
    expect(await failToStart()).toBe(
      `Other users can read ${dataDir}/secret. Run: chmod 600 ${dataDir}/secret`,
    )
  })

  test('another server runs on the same data, and keeps running', async () => {
    await using server = await startServerProcess({ dataDir })
    expect(await failToStart()).toBe(
      `Another server is running on the data in ${dataDir}. Stop it first, or set COUNTERSIGN_DATA_DIR to another directory.`,
    )
    const http = new HttpClient(server.url)
    await http.login(ADMIN)
    http.close()
    await server.stop('SIGKILL')
    // A killed server leaves no lock.
    await using next = await startServerProcess({ dataDir })
    expect(next.output()).toContain('is running')
  })

  test('the process may not enlarge files', async () => {
    const options = await startOptions({})
    const words = ['--fsize=8192', ...launcher, 'start']
    expect(onlyLine(await runProgram('prlimit', words, options))).toMatch(
      /^The (database|data directory|database failed).*/,
    )
  })
})

describe.skipIf(!canMount())('a full disk', () => {
  beforeEach(() => {
    mkdirSync(dataDir)
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', dataDir]).status).toBe(0)
  })
  afterEach(() => {
    spawnSync('umount', ['-l', dataDir])
  })

  /** Fills the disk to its last byte. Returns a function that frees the space. */
  function fillDisk(): () => void {
    const path = join(dataDir, 'ballast')
    expect(() => writeFileSync(path, Buffer.alloc(4 * 1024 * 1024))).toThrow('ENOSPC')
    return () => rmSync(path)
  }

  test('at the start is one clear line', async () => {
    fillDisk()
    expect(await failToStart()).toMatch(
      /^The (database|data directory|secret) .*(full|space|ENOSPC)/,
    )
  })

  test('while it runs answers 503 with Retry-After until there is space again', async () => {
    await using server = await startServerProcess({ dataDir })
    const http = new HttpClient(server.url)
    const { refresh, access } = await http.login(ADMIN)
    let token = refresh
    const empty = fillDisk()

    // Writes that fit into the write-ahead log may still succeed.
    const answers = []
    for (let n = 0; n < 400; n += 1) {
      const answer = await http.post('/api/token/refresh/', { refresh: token })
      answers.push(answer.status)
      if (answer.status !== 200) {
        expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
        expect(JSON.parse(answer.text)).toEqual({ detail: expect.stringContaining('database') })
        break
      }
      token = (JSON.parse(answer.text) as Pair).refresh
    }
    expect(answers).toContain(503)
    expect(await http.post('/api/token/', ADMIN)).toMatchObject({ status: 503 })
    expect(await http.post('/api/token/blacklist/', { refresh: token })).toMatchObject({
      status: 503,
    })
    await sleep(READINESS_KEPT_MS)
    expect(await http.get('/readyz')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
    })
    expect((await http.get('/healthz')).status).toBe(200)
    expect((await http.post('/api/token/verify/', { token: access })).status).toBe(200)

    empty()
    await sleep(READINESS_KEPT_MS)
    expect((await http.get('/readyz')).status).toBe(200)
    const answer = await http.post('/api/token/refresh/', { refresh: token })
    expect(answer).toMatchObject({ status: 200 })
    token = (JSON.parse(answer.text) as Pair).refresh
    expect((await http.post('/api/token/blacklist/', { refresh: token })).status).toBe(200)
    expect(query(dataDir, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    http.close()
    await server.stop()
  })
})

describe('SIGTERM', () => {
  test('finishes requests in progress, exits with 0 and leaves no write-ahead log', async () => {
    // Passwords are verified one at a time, so that requests are still in progress.
    const env = { COUNTERSIGN_ARGON2_MEMORY_KIB: '65536', COUNTERSIGN_ARGON2_PASSES: '4' }
    await using server = await startServerProcess({ dataDir, env })
    const http = new HttpClient(server.url)
    await http.login(ADMIN)
    const logins = Array.from({ length: 8 }, () => http.post('/api/token/', ADMIN))
    // One was answered before the signal. The others are in progress.
    await Promise.race(logins)
    const stopped = server.stop('SIGTERM')
    const answers = await Promise.all(logins)
    // Logins for which no core is free within a second get 503.
    const granted = answers.filter(({ status }) => status === 200).length
    expect(granted).toBeGreaterThan(1)
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(8 - granted)
    expect(await stopped).toBe(0)
    http.close()
    expect(readdirSync(dataDir).filter((name) => /-(wal|shm)$/.test(name))).toEqual([])
    expect(query(dataDir, 'SELECT count(*) AS n FROM sessions')).toEqual([{ n: granted + 1 }])
    expect(query(dataDir, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s with idle connections ends promptly',
    async (signal) => {
      await using server = await startServerProcess({ dataDir })
      const http = new HttpClient(server.url)
      await Promise.all(Array.from({ length: 10 }, () => http.get('/healthz')))
      const before = Date.now()
      expect(await server.stop(signal)).toBe(0)
      expect(Date.now() - before).toBeLessThan(DRAIN_MS)
      http.close()
    },
  )

  test('connections that never sent a byte do not delay the exit', async () => {
    await using server = await startServerProcess({ dataDir })
    const silent = connect(Number(new URL(server.url).port), '127.0.0.1')
    silent.on('error', () => undefined)
    await new Promise((resolve) => silent.once('connect', resolve))
    await sleep(100)
    const before = Date.now()
    expect(await server.stop()).toBe(0)
    expect(Date.now() - before).toBeLessThan(DRAIN_MS)
    silent.destroy()
  })

  test('a second signal ends it at once', async () => {
    await using server = await startServerProcess({ dataDir })
    const { port } = new URL(server.url)
    // A request that never ends delays the exit after the first signal.
    const half = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    await new Promise((resolve) => half.once('connect', resolve))
    half.write('POST /api/token/ HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{')
    await sleep(100)
    void server.stop('SIGTERM')
    await sleep(200)
    expect(server.child.exitCode).toBeNull()
    expect(await server.stop('SIGTERM')).toBe(1)
    half.destroy()
  })
})

test('runs as an unprivileged user in its own directory', async () => {
  mkdirSync(dataDir)
  chownSync(dataDir, NOBODY, NOBODY)
  chmodSync(join(dataDir, '..'), 0o755)
  const port = await freePort()
  const child = spawn(launcher[0], [launcher[1], 'start'], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: dataDir,
    env: { PORT: String(port), COUNTERSIGN_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await expect.poll(() => output).toContain('is running')
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
  expect(output).toContain('is running')
})
