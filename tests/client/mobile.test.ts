import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { enrolApp, totpAt } from '../../packages/server/test/support/factors.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { startProxy, type Instead } from '../browser/proxy.ts'
import { countLines } from './examples.ts'
import { ALICE, startAuthority, type ListeningAuthority } from './world.ts'

const EXAMPLE = resolve(import.meta.dirname, '../../examples/mobile')

let authority: ListeningAuthority
let folder: string
beforeEach(async () => {
  authority = await startAuthority()
  folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
})
afterEach(async () => {
  await authority[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Starts the application, enters commands and returns what it prints, without the list of commands. */
async function use(commands: readonly string[], url = authority.url): Promise<string[]> {
  const application = spawn(process.execPath, [join(EXAMPLE, 'main.ts')], {
    env: { ...process.env, AUTHORITY: url, STORE: join(folder, 'store.json') },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  application.stdin.end(`${commands.join('\n')}\n`)
  let output = ''
  for await (const chunk of application.stdout) output += String(chunk)
  return output.split('\n').filter((line) => line !== '' && !line.startsWith('Commands:'))
}

const stored = (): string[] =>
  Object.keys(JSON.parse(readFileSync(join(folder, 'store.json'), 'utf8')) as object)
const LOGIN = `login ${ALICE.username} ${ALICE.password}`
const DEVICE = /\(this one\)$/

describe('examples/mobile', () => {
  test('asks for the code of the authenticator app', async () => {
    const pair = (await (await authority.it.post('/api/token/', ALICE)).json()) as Pair
    const { secret } = await enrolApp(authority.it, pair)
    authority.it.clock.advanceMs(30_000)
    const code = totpAt(secret, authority.it.clock.nowMs())
    expect(await use([LOGIN, 'devices', `code ${code}`, 'devices'])).toEqual([
      'Nobody is logged in.',
      'Enter the code of your authenticator app.',
      'Log in first.',
      'Hello alice',
      expect.stringMatching(DEVICE),
      'test-agent',
    ])
  })

  test('logs in, continues after a restart with an expired token, and logs out', async () => {
    const first = await use(['devices', 'login alice wrong', LOGIN, 'devices'])
    expect(first).toEqual([
      'Nobody is logged in.',
      'Log in first.',
      'No active account found with the given credentials',
      'Hello alice',
      expect.stringMatching(DEVICE),
    ])
    expect(stored()).toHaveLength(1)
    expect(statSync(join(folder, 'store.json')).mode & 0o777).toBe(0o600)

    authority.it.clock.advanceMs(3 * 86_400_000)
    const second = await use(['devices', 'logout', 'devices'])
    expect(second).toEqual([
      'Hello alice',
      expect.stringMatching(DEVICE),
      'Nobody is logged in.',
      'Log in first.',
    ])
    expect(stored()).toEqual([])
    expect(await use([])).toEqual(['Nobody is logged in.'])
  })

  test('keeps the session while the server cannot be reached', async () => {
    const instead = new Map<string, Instead>()
    const port = await freePort()
    await using front = await startProxy({
      port,
      instead: (path) => instead.get(path),
      target: () => authority.url,
    })
    const url = `http://127.0.0.1:${port}`
    await use([LOGIN], url)
    instead.set('/api/token/refresh/', { status: 503, headers: {} })
    expect(await use([], url)).toEqual(['The server cannot be reached. Try again later.'])
    instead.clear()
    expect(await use([], url)).toEqual(['Hello alice'])
    expect(front.arrivals.map(({ path, status }) => `${path} ${status}`)).toEqual([
      '/api/token/ 200',
      '/auth/me 200',
      '/api/token/refresh/ 503',
      '/api/token/refresh/ 200',
      '/auth/me 200',
    ])
  })

  test('is shorter than 200 lines', () => {
    expect(countLines('mobile')).toBeLessThan(200)
  })
})
