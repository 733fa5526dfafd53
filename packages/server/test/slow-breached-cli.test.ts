import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCommand, type CommandResult } from './support/command-line.ts'
import { sha1Of, startRangeService, type RangeService } from './support/range-service.ts'
import { startServerProcess, type ServerProcess } from './support/server-process.ts'

// Commands and the first start refuse a breached password like the server does.

const BREACHED = 'umbrella kettle walnut'
const REFUSED = {
  code: 1,
  stderr: expect.stringContaining('is known from a data breach') as string,
}

let service: RangeService
let server: ServerProcess
beforeAll(async () => {
  service = await startRangeService()
  service.breach(BREACHED)
  server = await startServerProcess()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
})

function run(words: readonly string[], password: string, source: string): Promise<CommandResult> {
  const env = { COUNTERSIGN_BREACHED_PASSWORDS: source }
  return runCommand(words, { dataDir: server.dataDir, env, input: `${password}\n` })
}

test('P09 accounts create and accounts set-password', async () => {
  for (const words of [
    ['accounts', 'create', 'bob'],
    ['accounts', 'set-password', 'admin'],
  ]) {
    expect(await run(words, BREACHED, service.url)).toMatchObject(REFUSED)
    expect(await run(words, 'staple and no donkey', service.url)).toMatchObject({
      code: 0,
      stderr: '',
    })
  }
})

test('with a file', async () => {
  const path = join(server.dataDir, 'pwned.txt')
  writeFileSync(path, `${sha1Of(BREACHED)}:7\n`)
  const create = ['accounts', 'create', 'carol']
  expect(await run(create, BREACHED, `file:${path}`)).toMatchObject(REFUSED)
  expect(await run(create, 'staple and no donkey', `file:${path}.none`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('COUNTERSIGN_BREACHED_PASSWORDS: the file') as string,
  })
  // Commands that set no password do not read it.
  expect(await run(['accounts', 'list'], '', `file:${path}.none`)).toMatchObject({ code: 0 })
})

test('a failed look-up is a warning', async () => {
  service.misbehave((response) => response.writeHead(500).end())
  const created = await run(['accounts', 'create', 'dora'], BREACHED, service.url)
  service.misbehave(undefined)
  expect(created).toMatchObject({ code: 0 })
  expect(created.stderr).toMatch(/^Warning: .*COUNTERSIGN_BREACHED_PASSWORDS\.\n$/)
})

test('P09 the password of the first account, and a missing file, stop the first start', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const start = (source: string): Promise<CommandResult> =>
    runCommand(['start'], {
      dataDir,
      env: {
        COUNTERSIGN_ADMIN_PASSWORD: BREACHED,
        COUNTERSIGN_BREACHED_PASSWORDS: source,
      },
    })
  try {
    // Both end before the server listens.
    expect(await start(`file:${dataDir}/none.txt`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('COUNTERSIGN_BREACHED_PASSWORDS: the file') as string,
    })
    expect(await start(service.url)).toMatchObject(REFUSED)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
