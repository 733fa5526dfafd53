import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { backUpDatabase } from '../src/store/sqlite/backup.ts'
import { launcher, runCommand, runProgram, type CommandResult } from './support/command-line.ts'
import { execute, query } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import {
  ADMIN,
  freePort,
  startServerProcess,
  type ServerProcess,
} from './support/server-process.ts'

const SECRET = 'a secret of this test alone 0123456789'

let folder: string
let server: ServerProcess
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-backup-'))
  server = await startServerProcess()
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function run(words: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return runCommand(words, { dataDir: server.dataDir, env })
}

describe('backup', () => {
  test('copies the database of the running server to one private file, which restore accepts', async () => {
    const http = new HttpClient(server.url)
    const { refresh } = await http.login(ADMIN)
    const file = join(folder, 'copy.db')
    const { code, stdout, stderr } = await run(['backup', file])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      new RegExp(
        `^${server.dataDir}/countersign\\.db was copied to ${file} \\(\\d+\\.\\d MB\\) and checked\\.\\n`,
      ),
    )
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['copy.db'])
    expect((await http.post('/api/token/refresh/', { refresh })).status).toBe(200)
    http.close()
    await server.stop()

    execute(server.dataDir, `UPDATE accounts SET username = 'changed'`)
    const restored = await run(['restore', file])
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(query(server.dataDir, 'SELECT username FROM accounts')).toEqual([{ username: 'admin' }])
    expect(query(server.dataDir, 'SELECT count(*) AS n FROM sessions')).toEqual([{ n: 1 }])
    await using again = await startServerProcess({ dataDir: server.dataDir })
    expect(again.output()).toContain('is running')
  })

  test('is the state of one moment, while the server writes all the time', async () => {
    // Large enough for many steps.
    execute(
      server.dataDir,
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
       INSERT INTO audit (at, event, outcome, actor, detail)
       SELECT 0, 'login', 'ok', 'test', hex(zeroblob(50000)) FROM n`,
    )
    const writer = new DatabaseSync(join(server.dataDir, 'countersign.db'))
    writer.exec('PRAGMA busy_timeout = 5000')
    const ended = new AbortController()
    const writing = (async () => {
      let writes = 0
      while (!ended.signal.aborted) {
        writer.exec(`BEGIN IMMEDIATE;
          UPDATE accounts SET created_at = created_at + 1;
          UPDATE write_checks SET checks = (SELECT created_at FROM accounts LIMIT 1);
          COMMIT`)
        writes += 1
        await new Promise((resolve) => setImmediate(resolve))
      }
      return writes
    })()
    const file = join(folder, 'copy.db')
    const parts: number[] = []
    await backUpDatabase(server.dataDir, file, {
      overwrite: false,
      onProgress: (part) => parts.push(part),
    })
    ended.abort()
    expect(await writing).toBeGreaterThan(10)
    writer.close()
    // It never began again: a busy server would not let it end.
    expect(parts.length).toBeGreaterThan(5)
    expect(parts).toEqual(parts.toSorted((a, b) => a - b))
    const copy = new DatabaseSync(file)
    const [row] = copy
      .prepare('SELECT a.created_at = w.checks AS same FROM accounts a, write_checks w')
      .all()
    expect(row).toEqual({ same: 1 })
    expect(copy.prepare('SELECT count(*) AS n FROM audit').get()?.['n']).toBeGreaterThanOrEqual(300)
    copy.close()
  })

  test('keeps an existing file, unless it may overwrite it', async () => {
    const file = join(folder, 'copy.db')
    writeFileSync(file, 'precious')
    expect(await run(['backup', file])).toEqual({
      code: 1,
      stdout: '',
      stderr: `${file} exists. Choose another name, or add --overwrite to replace it.\n`,
    })
    expect(readFileSync(file, 'utf8')).toBe('precious')
    writeFileSync(`${file}-wal`, 'of the older file')
    expect(await run(['backup', file, '--overwrite'])).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(folder)).toEqual(['copy.db'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test.each(['countersign.db', 'countersign.db-wal'])(
    'never overwrites the live file %s',
    async (name) => {
      const live = join(server.dataDir, name)
      const before = readFileSync(live)
      for (const words of [
        ['backup', live],
        ['backup', live, '--overwrite'],
      ]) {
        expect((await run(words)).stderr).toBe(
          `${live} is the live database itself. Name another file for the backup.\n`,
        )
      }
      expect(readFileSync(live).subarray(0, 100)).toEqual(before.subarray(0, 100))
    },
  )

  test('recognises the live database by another name', async () => {
    const other = join(server.dataDir, 'other.db')
    linkSync(join(server.dataDir, 'countersign.db'), other)
    expect((await run(['backup', other, '--overwrite'])).stderr).toContain('is the live database')
  })

  test.each([
    ['a directory', 'taken', /is not a regular file\. Name a file for the backup\.\n$/],
    ['a folder that does not exist', 'none/copy.db', /^The backup cannot be written: ENOENT.*\n$/],
  ])('names what is wrong with %s', async (_, name, message) => {
    mkdirSync(join(folder, 'taken'))
    const result = await run(['backup', join(folder, name), '--overwrite'])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(message)
  })

  test('leaves no file when the database is damaged', async () => {
    await server.stop()
    execute(server.dataDir, 'CREATE TABLE foreign_table (id INTEGER)')
    const file = join(folder, 'copy.db')
    const result = await run(['backup', file])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain('it contains the table "foreign_table"')
    expect(readdirSync(folder)).toEqual([])
  })

  test('shows a progress bar at a terminal, and removes it', async () => {
    const words = [...launcher, 'backup', join(folder, 'copy.db')]
    const { code, stdout } = await runProgram('script', ['-qec', words.join(' '), '/dev/null'], {
      dataDir: server.dataDir,
    })
    expect(code).toBe(0)
    expect(stdout).toContain('[##############################] 100 %')
    expect(stdout).toContain('\u001b[K' + join(server.dataDir, 'countersign.db') + ' was copied to')
  })
})

describe('restore', () => {
  test('warns if the secret does not open the keys of the backup', async () => {
    const file = join(folder, 'copy.db')
    expect(await run(['backup', file])).toMatchObject({ code: 0 })
    const dataDir = join(folder, 'other')
    const env = { COUNTERSIGN_SECRET: SECRET }
    const restored = await runCommand(['restore', file], { dataDir, env, cwd: folder })
    expect(restored).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Everybody must log in again'),
      stderr: expect.stringMatching(
        /^Warning: COUNTERSIGN_SECRET does not open the signing keys in the database\. [^\n]+ Until then the server does not start\.\n$/,
      ),
    })
    expect(restored.stderr).not.toContain(SECRET)
    const port = { PORT: String(await freePort()) }
    expect(
      await runCommand(['start'], { dataDir, cwd: folder, env: { ...env, ...port } }),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('COUNTERSIGN_SECRET does not open'),
    })
  })

  test('warns if there is no secret at all', async () => {
    const file = join(folder, 'copy.db')
    expect(await run(['backup', file])).toMatchObject({ code: 0 })
    const dataDir = join(folder, 'other')
    const { code, stderr } = await runCommand(['restore', file], { dataDir, cwd: folder })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^Warning: The secret file .* cannot be read: ENOENT/)
    expect(existsSync(join(dataDir, 'secret'))).toBe(false)
  })
})
