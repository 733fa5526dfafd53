import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { freePort } from '../../scripts/lib/processes.ts'
import { describeWith } from '../support/requirements.ts'
import { ROOT } from './containerfile.ts'
import { capture } from './manifests.ts'

const UNIT = join(ROOT, 'deploy/systemd/countersign.service')
const LAUNCHER = join(ROOT, 'packages/server/bin/countersign.cjs')

describeWith('systemd', 'deploy/systemd/countersign.service', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-systemd-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const unit = readFileSync(UNIT, 'utf8')
  const valuesOf = (name: string): string[] =>
    [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value)

  test('systemd-analyze verify finds nothing', () => {
    // Node and the packages are elsewhere on this machine.
    const copy = unit
      .replace('/usr/bin/node', process.execPath)
      .replace('/opt/countersign/node_modules/countersign/bin/countersign.cjs', LAUNCHER)
    const file = join(folder, 'countersign.service')
    writeFileSync(file, copy)
    const words = ['verify', '--man=no', file]
    const { status, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8' })
    // It also reads the units of this machine, and may complain about those.
    expect(stderr.split('\n').filter((line) => line.includes('countersign'))).toEqual([])
    expect(status).toBe(0)
  })

  test('systemd-analyze security gives an exposure under 2', () => {
    const printed = capture('systemd-analyze', ['security', '--offline=true', '--no-pager', UNIT])
    const [, exposure] = /exposure level for countersign\.service: ([\d.]+)/.exec(printed) ?? []
    expect(Number(exposure)).toBeLessThan(2)
  })

  test('the server makes no system call that the unit forbids', async () => {
    const trace = join(folder, 'trace')
    const port = await freePort()
    const strace = ['-f', '-qq', '-o', trace, process.execPath, LAUNCHER, 'start']
    const server = spawn('strace', strace, {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        COUNTERSIGN_DATA_DIR: join(folder, 'data'),
        COUNTERSIGN_ADMIN_PASSWORD: 'a long test password',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let output = ''
    server.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const ended = new Promise((resolve) => server.once('exit', resolve))
    try {
      const url = `http://127.0.0.1:${port}`
      const ready = async (): Promise<number> => (await fetch(`${url}/readyz`)).status
      await expect.poll(() => ready().catch(() => output)).toBe(200)
      const login = new URLSearchParams({ username: 'admin', password: 'a long test password' })
      const answer = await fetch(`${url}/api/token/`, { method: 'POST', body: login })
      expect(answer.status).toBe(200)
    } finally {
      // strace forwards no signal. It ends with the server, whose number stands in the first line.
      const [pid] = /^\d+/.exec(readFileSync(trace, 'latin1')) ?? []
      process.kill(Number(pid), 'SIGTERM')
    }
    expect(await ended).toBe(0)
    const made = new Set(
      [...readFileSync(trace, 'latin1').matchAll(/^\d+ +(\w+)\(/gm)].map(([, call = '']) => call),
    )
    expect(made.size).toBeGreaterThan(30)
    // SQLite gives its files the owner of the database, but only as root.
    if (process.getuid?.() === 0) made.delete('fchown')
    const allowed = allowedCalls(valuesOf('SystemCallFilter'))
    expect([...made].filter((call) => !allowed.has(call))).toEqual([])
  })

  test('the server has time to drain', () => {
    expect(Number.parseInt(valuesOf('TimeoutStopSec')[0] ?? '', 10)).toBeGreaterThan(26)
  })
})

/** Returns the system calls that filters allow: `@system-service`, without those of `~@privileged`. */
function allowedCalls(filters: readonly string[]): ReadonlySet<string> {
  const groups = (isDenied: boolean): string[] =>
    filters
      .filter((filter) => filter.startsWith('~') === isDenied)
      .flatMap((filter) => filter.replace('~', '').split(' '))
  const denied = new Set(groups(true).flatMap((group) => callsOf(group)))
  return new Set(
    groups(false)
      .flatMap((group) => callsOf(group))
      .filter((call) => !denied.has(call)),
  )
}

/** Asks systemd for the calls of a group, which may name other groups. */
function callsOf(group: string): string[] {
  const printed = capture('systemd-analyze', ['syscall-filter', '--no-pager', group])
  const names = printed
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
  return names
    .filter((name) => name !== '' && !name.startsWith('#'))
    .flatMap((name) => (name.startsWith('@') ? callsOf(name) : [name]))
}
