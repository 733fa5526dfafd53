import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { systemClock } from '../src/base/clock.ts'
import { openStore } from '../src/store/open.ts'
import { runCommand, runProgram, type CommandResult } from './support/command-line.ts'
import { freePort, startServerProcess } from './support/server-process.ts'

const SECRET = 'a secret of this test alone 0123456789'
const NOBODY = 65_534
const SOMEBODY = 12_345
const me = process.getuid?.() ?? 0
const isRoot = me === 0

let folder: string
let dataDir: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'countersign-files-')))
  dataDir = join(folder, 'data')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

/** Starts a server that must fail. Gives what it prints on standard error. */
async function failToStart(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const port = String(await freePort())
  const options = { dataDir, cwd: folder, env: { PORT: port, ...env } }
  const { code, stdout, stderr } = await runCommand(['start'], options)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  return stderr.trimEnd()
}

/** Starts a server. Gives the `files_exposed` warnings that it logged. */
async function startAndStop(
  env: Readonly<Record<string, string>> = {},
): Promise<Record<string, unknown>[]> {
  await using server = await startServerProcess({ dataDir, env })
  await server.stop()
  return server
    .output()
    .split('\n')
    .filter((line) => line.includes('files_exposed'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('the data directory', () => {
  test('that every user can write to is rejected, and the command that mends it is named', async () => {
    mkdirSync(dataDir)
    chmodSync(dataDir, 0o777)
    expect(await failToStart()).toContain(
      `Every user of this machine can write to the data directory ${dataDir}. Run: chmod 700 ${dataDir}.`,
    )
    expect(readdirSync(dataDir)).toEqual([])
    chmodSync(dataDir, 0o700)
    expect(await startAndStop()).toEqual([])
    chmodSync(dataDir, 0o777)
    const listing = await runCommand(['accounts', 'create', 'bob'], { dataDir, input: 'x\n' })
    expect(listing).toMatchObject({ code: 1, stderr: expect.stringContaining('chmod 700') })
  })

  test.runIf(isRoot)(
    'of another user or group, and a database of another, are reported',
    async () => {
      expect(await startAndStop()).toEqual([])
      chownSync(dataDir, SOMEBODY, SOMEBODY)
      chownSync(join(dataDir, 'countersign.db'), NOBODY, 0)
      expect(await startAndStop()).toEqual([
        expect.objectContaining({
          level: 40,
          path: dataDir,
          problem: `belongs to another user (uid ${SOMEBODY})`,
          run: `chown ${me} ${dataDir}`,
        }),
        expect.objectContaining({ path: join(dataDir, 'countersign.db') }),
      ])
      chownSync(dataDir, 0, SOMEBODY)
      chownSync(join(dataDir, 'countersign.db'), 0, 0)
      chmodSync(dataDir, 0o770)
      expect(await startAndStop()).toEqual([
        expect.objectContaining({ run: `chmod g-w ${dataDir}`, problem: expect.any(String) }),
      ])
    },
  )

  test.runIf(isRoot)('of a service stays usable for it after root has run commands', async () => {
    mkdirSync(dataDir)
    chownSync(dataDir, NOBODY, NOBODY)
    chmodSync(folder, 0o755)
    await (await openStore({ dataDir }, { exclusive: false, clock: systemClock })).close()
    const input = 'a password for bob\n'
    expect(await runCommand(['accounts', 'create', 'bob'], { dataDir, input })).toMatchObject({
      code: 0,
    })
    expect(
      await runCommand(['accounts', 'list'], { dataDir, cwd: folder, uid: NOBODY }),
    ).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('the generated secret', () => {
  test.runIf(isRoot)('of another user is rejected', async () => {
    await startAndStop()
    const path = join(dataDir, 'secret')
    chownSync(path, SOMEBODY, SOMEBODY)
    expect(await failToStart()).toBe(
      `${path} belongs to another user (uid ${SOMEBODY}), who can read and replace it. If you trust its contents, run: chown ${me} ${path}`,
    )
  })

  test('where chmod has no effect, the message says what to do instead', async () => {
    const hook = pathToFileURL(join(import.meta.dirname, 'support/without-modes.ts')).href
    const env = { NODE_OPTIONS: `--import=${hook}` }
    // The database is opened first.
    const line = await failToStart(env)
    expect(line).toMatch(
      /^Other users can read .*countersign\.db\. chmod has no effect on this file/,
    )
    expect(line).toContain('Mount it with the options uid=USER,umask=077, or set COUNTERSIGN_DATA_')
    expect(line).not.toContain('Run: chmod')
  })
})

describe('a secret file', () => {
  test('that every user can write to is rejected, and one that they can read is reported', async () => {
    const file = join(folder, 'mounted')
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 })
    const env = { COUNTERSIGN_SECRET_FILE: file }
    expect(await startAndStop(env)).toEqual([])
    chmodSync(file, 0o640)
    expect(await startAndStop(env)).toEqual([])
    chmodSync(file, 0o644)
    expect(await startAndStop(env)).toEqual([
      expect.objectContaining({
        path: file,
        problem: 'can be read by every user of this machine',
        run: `chmod o= ${file}`,
      }),
    ])
    chmodSync(file, 0o666)
    expect(await failToStart(env)).toContain(
      'COUNTERSIGN_SECRET_FILE: every user of this machine can write to the file. Run: chmod o-w',
    )
  })
})

describe('a configuration file', () => {
  const name = 'countersign.config.ts'
  let ran: string
  beforeEach(() => {
    ran = join(folder, 'ran')
    const code = `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(ran)}, '')\n`
    mkdirSync(join(folder, 'project'))
    writeFileSync(join(folder, 'project', name), `${code}export default {}\n`)
  })
  const list = (): Promise<CommandResult> =>
    runCommand(['accounts', 'list'], { dataDir, cwd: join(folder, 'project') })

  test('of this user in a directory of this user is loaded', async () => {
    await list()
    expect(existsSync(ran)).toBe(true)
  })

  test.each<[what: string, needsRoot: boolean, expose: (project: string) => string]>([
    ['file of another user', true, (it) => own(join(it, name))],
    ['directory of another user', true, (it) => own(it)],
    ['file that others can write to', false, (it) => open(join(it, name), 0o646)],
    ['file that a group can write to', true, (it) => open(group(join(it, name)), 0o664)],
    ['directory that others can write to', false, (it) => open(it, 0o757)],
    ['directory such as /tmp', false, (it) => open(it, 0o1777)],
    [
      'symbolic link into a directory of another user',
      true,
      (it) => {
        const theirs = join(folder, 'theirs')
        mkdirSync(theirs)
        cpSync(join(it, name), join(theirs, name))
        rmSync(join(it, name))
        symlinkSync(join(theirs, name), join(it, name))
        return own(theirs)
      },
    ],
  ])('is not loaded: %s', async (_, needsRoot, expose) => {
    if (needsRoot && !isRoot) return
    const exposed = expose(join(folder, 'project'))
    const { code, stderr } = await list()
    expect(code).toBe(1)
    expect(stderr).toContain(`${name} was not loaded, because ${exposed} `)
    expect(stderr).toMatch(/If you trust its contents, run: ch(own|mod) /)
    expect(existsSync(ran)).toBe(false)
  })

  test('may be written by the group that is the user alone', async () => {
    chmodSync(join(folder, 'project'), 0o775)
    chmodSync(join(folder, 'project', name), 0o664)
    await list()
    expect(existsSync(ran)).toBe(true)
  })

  function own(path: string): string {
    chownSync(path, SOMEBODY, SOMEBODY)
    return path
  }
  function group(path: string): string {
    chownSync(path, me, SOMEBODY)
    return path
  }
  function open(path: string, mode: number): string {
    chmodSync(path, mode)
    return path
  }
})

describe('the compile cache', () => {
  const LAUNCHER = fileURLToPath(new URL('../bin/countersign.cjs', import.meta.url))
  /** A package whose command line prints where compiled code is kept. */
  function makePackage(): { run: () => Promise<string>; cache: string } {
    const root = join(folder, 'package')
    mkdirSync(join(root, 'bin'), { recursive: true })
    cpSync(LAUNCHER, join(root, 'bin', 'countersign.cjs'))
    writeFileSync(
      join(root, 'package.json'),
      JSON.stringify({ type: 'module', imports: { '#cli': './main.js' } }),
    )
    writeFileSync(
      join(root, 'main.js'),
      `import { getCompileCacheDir } from 'node:module'\nexport const main = () => console.log(getCompileCacheDir())\n`,
    )
    const words = [join(root, 'bin', 'countersign.cjs')]
    return {
      cache: join(root, '.compile-cache'),
      run: async () => {
        const { stdout } = await runProgram(process.execPath, words, { dataDir: folder })
        return stdout.trim()
      },
    }
  }

  test('is created with mode 700, whatever the umask', async () => {
    const { run, cache } = makePackage()
    const before = process.umask(0)
    try {
      expect(dirname(await run())).toBe(cache)
    } finally {
      process.umask(before)
    }
    expect(modeOf(cache)).toBe('700')
  })

  test('that others could write to is emptied', async () => {
    const { run, cache } = makePackage()
    mkdirSync(cache)
    chmodSync(cache, 0o777)
    writeFileSync(join(cache, 'planted'), '')
    expect(dirname(await run())).toBe(cache)
    expect(modeOf(cache)).toBe('700')
    expect(existsSync(join(cache, 'planted'))).toBe(false)
  })

  test.runIf(isRoot)('of another user is not used', async () => {
    const { run, cache } = makePackage()
    mkdirSync(cache, { mode: 0o700 })
    chownSync(cache, SOMEBODY, SOMEBODY)
    expect(await run()).toBe('undefined')
    expect(readdirSync(cache)).toEqual([])
  })

  test('that is a symbolic link is not used', async () => {
    const { run, cache } = makePackage()
    const elsewhere = join(folder, 'elsewhere')
    mkdirSync(elsewhere, { mode: 0o700 })
    symlinkSync(elsewhere, cache)
    await run()
    expect(readdirSync(elsewhere)).toEqual([])
  })
})
