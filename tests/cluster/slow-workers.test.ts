import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCommand } from '../../packages/server/test/support/command-line.ts'
import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { ADMIN, freePort } from '../../packages/server/test/support/server-process.ts'
import { isRunning } from '../../scripts/lib/process-tree.ts'
import { HonestLoad, SESSIONS } from '../faults/honest-load.ts'
import { startPostgres, type Database, type Postgres } from '../support/postgres.ts'
import { describeWith } from '../support/requirements.ts'
import { prepareNode, type ClusterNode } from './node.ts'

const WORKERS = 3

interface Line {
  readonly event?: string
  readonly worker?: number
}

/** The lines of the log with an event. */
function eventsOf(output: string, event: string): Line[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Line).filter((line) => line.event === event)
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}

/** Waits until processes have ended. */
async function expectEnded(pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isRunning)).toEqual([])
}

describeWith('cluster', 'countersign start --workers', () => {
  let postgres: Postgres
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-workers-'))
    postgres = await startPostgres()
  })
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  interface Started extends AsyncDisposable {
    readonly node: ClusterNode
    readonly database: Database
  }

  function environmentOf(database: Database): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: database.url,
      COUNTERSIGN_SECRET: 'the-secret-of-all-nodes-of-a-test-0123456789',
      COUNTERSIGN_ADMIN_PASSWORD: ADMIN.password,
      COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
      COUNTERSIGN_ARGON2_PASSES: '1',
      COUNTERSIGN_THROTTLE: 'off',
    }
  }

  async function startWorkers(): Promise<Started> {
    const database = await postgres.createDatabase()
    const port = await freePort()
    const node = prepareNode({
      name: `workers-${port}`,
      folder,
      port,
      env: environmentOf(database),
      words: ['--workers', String(WORKERS)],
    })
    await node.start()
    await expect.poll(() => eventsOf(node.output(), 'started').length).toBe(WORKERS)
    return {
      node,
      database,
      async [Symbol.asyncDispose]() {
        await node.kill()
        await database[Symbol.asyncDispose]()
      },
    }
  }

  test('the processes share one port and one database, and SIGTERM drops no request', async () => {
    await using it = await startWorkers()
    const { node, database } = it
    const workers = childrenOf(node.pid!)
    expect(workers).toHaveLength(WORKERS)
    expect(node.output().match(/First account/g)).toHaveLength(1)
    const named = eventsOf(node.output(), 'started').map(({ worker }) => worker)
    expect(new Set(named)).toEqual(new Set([1, 2, 3]))
    expect((await fetch(`${node.url}/healthz`)).status).toBe(200)

    const load = new HonestLoad(node.url)
    await load.start()
    await load.untilMore({ rotations: 100, logOuts: 2 })
    const stopping = node.stop()
    await expect.poll(() => eventsOf(node.output(), 'stopping').length).toBe(WORKERS)
    // The clients finish what they have begun, and begin nothing new.
    await load.stop()
    expect(await stopping).toBe(0)
    expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
    load.expectAllIn(await database.query(SESSIONS))
    load.close()
    await expectEnded(workers)
  })

  test('a worker that dies is started again, and the others go on', async () => {
    await using it = await startWorkers()
    const { node } = it
    const before = childrenOf(node.pid!)
    process.kill(before[0]!, 'SIGKILL')
    await expect.poll(() => eventsOf(node.output(), 'worker_ended')).toHaveLength(1)
    const http = new HttpClient(node.url)
    await http.login(ADMIN)
    http.close()
    await expect.poll(() => eventsOf(node.output(), 'started').length).toBe(WORKERS + 1)
    const after = childrenOf(node.pid!)
    expect(after).toHaveLength(WORKERS)
    expect(after).toEqual(expect.arrayContaining(before.slice(1)))
    expect(await node.stop('SIGINT')).toBe(0)
    await expectEnded([...before, ...after])
  })

  test('when the main process is killed, the workers end', async () => {
    await using it = await startWorkers()
    const workers = childrenOf(it.node.pid!)
    await it.node.kill()
    await expectEnded(workers)
  })

  test('Ctrl-C, which the terminal sends to all processes, leaves nothing', async () => {
    await using it = await startWorkers()
    const { node } = it
    const pids = [node.pid!, ...childrenOf(node.pid!)]
    for (const pid of pids) process.kill(pid, 'SIGINT')
    await expectEnded(pids)
    expect(eventsOf(node.output(), 'worker_ended')).toEqual([])
    expect(eventsOf(node.output(), 'stopped')).toHaveLength(WORKERS)
  })

  test('a port that is taken is reported once', async () => {
    await using it = await startWorkers()
    const result = await runCommand(['start', '--workers', '2', '--port', String(it.node.port)], {
      dataDir: folder,
      env: environmentOf(it.database),
    })
    expect(result).toMatchObject({ code: 1 })
    expect(result.stderr).toMatch(/^Port \d+ on 127\.0\.0\.1 is used by another program\.[^\n]*\n$/)
  })

  test('a first worker that cannot start ends the server', async () => {
    const env = {
      DATABASE_URL: 'postgres://127.0.0.1:1/none',
      COUNTERSIGN_SECRET: 'the-secret-of-all-nodes-of-a-test-0123456789',
    }
    const port = String(await freePort())
    const result = await runCommand(['start', '--workers', '2', '--port', port], {
      dataDir: folder,
      env,
    })
    expect(result).toMatchObject({ code: 1 })
    expect(result.stderr).toContain('PostgreSQL cannot be reached')
  })

  test.each([
    [['--workers', '2'], 1, '--workers needs PostgreSQL'],
    [['--workers', '0'], 2, '--workers must be a number from 1 to 64.'],
    [['--workers', 'many'], 2, '--workers must be a number from 1 to 64.'],
  ])('start %j is refused', async (words, code, text) => {
    const result = await runCommand(['start', ...words], { dataDir: folder })
    expect(result.code).toBe(code)
    expect(result.stderr).toContain(text)
  })
})
