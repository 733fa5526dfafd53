import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { installDebian } from '../../scripts/lib/installs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-scripts-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function isRunning(pid: number): boolean {
  try {
    // A process that has ended and was not waited for is a zombie.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

const read = (name: string): string => {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return ''
  }
}

describe('a run of stages', () => {
  const stages = pathToFileURL(join(import.meta.dirname, '../../scripts/lib/stages.ts')).href

  /** Runs one stage, a shell script, in a process. */
  function runStage(script: string): {
    pid: number
    exit: Promise<number | null>
    text: () => string
  } {
    const program = `import { runStages } from '${stages}'
      const stage = { name: 'a stage', command: ['sh', '-c', ${JSON.stringify(script)}] }
      process.exitCode = (await runStages('the run', [stage])) ? 0 : 1`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: folder })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
    return { pid: child.pid ?? 0, exit, text: () => text }
  }

  test('ends what a stage has left behind', async () => {
    const stage = runStage(`sleep 1000 & echo $! > ${folder}/pid; exit 0`)
    expect(await stage.exit).toBe(0)
    expect(isRunning(Number(read('pid')))).toBe(false)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ends everything on %s, also a process in a session of its own, and names the stage',
    async (signal) => {
      const stage = runStage(
        `setsid sh -c 'echo $$ > ${folder}/own; exec sleep 1000' & sleep 1000 & echo $! > ${folder}/pid; wait`,
      )
      await expect
        .poll(() => [read('own'), read('pid')].every((text) => text.endsWith('\n')))
        .toBe(true)
      process.kill(stage.pid, signal)
      expect(await stage.exit).toBe(1)
      expect(stage.text()).toContain(`Failed: a stage (stopped by ${signal})`)
      for (const name of ['own', 'pid']) expect(isRunning(Number(read(name)))).toBe(false)
    },
  )
})

describe('installing Debian packages', () => {
  const options = { lockMsMax: 30_000, pauseMs: 10 }

  function fakeApt(script: string): string {
    const path = join(folder, 'apt-get')
    writeFileSync(path, `#!/bin/sh\necho "$@" >> ${folder}/asked\n${script}\n`)
    chmodSync(path, 0o755)
    return path
  }

  test('waits for a busy lock', async () => {
    const aptGet = fakeApt(
      `[ $(wc -l < ${folder}/asked) -gt 3 ] || { echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7" >&2; exit 100; }`,
    )
    expect(await installDebian(['a', 'b'], { aptGet, ...options })).toBe(true)
    expect(read('asked').trim().split('\n')).toEqual([
      ...Array(4).fill('-qq update'),
      '-qq install -y --no-install-recommends a b',
    ])
  })

  test('gives up on a lock that stays, and on any other error at once', async () => {
    const locked = fakeApt('echo "E: Unable to acquire the dpkg frontend lock" >&2; exit 100')
    expect(await installDebian(['a'], { aptGet: locked, lockMsMax: 100, pauseMs: 10 })).toBe(false)
    rmSync(join(folder, 'asked'))
    const broken = fakeApt('echo "E: no network" >&2; exit 100')
    expect(await installDebian(['a'], { aptGet: broken, ...options })).toBe(false)
    expect(read('asked').trim().split('\n')).toEqual(['-qq update'])
  })
})
