import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createAuthority } from '../../../packages/server/src/authority.ts'
import { ask, createGuardsClient, startChild } from '../children.ts'
import { HttpConnection } from '../http-connection.ts'
import { startServer } from '../server.ts'
import {
  ACCOUNTS,
  callingWith,
  CLIENTS,
  PASSWORD,
  simpleJwtOperations,
  SERVER_CORE,
  type Pair,
  type System,
} from './system.ts'

/** Starts `countersign start` with SQLite, and an application with Express and Fastify behind a guard. */
export async function startOurs(): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  await using started = new AsyncDisposableStack()
  started.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  await createAccounts(dataDir)
  const credentials = await createGuardsClient({ dataDir })
  const server = started.use(
    await startServer({
      node: process.execPath,
      dataDir,
      cores: String(SERVER_CORE),
      // No token expires during a run.
      env: { COUNTERSIGN_ACCESS_LIFETIME: '1h' },
    }),
  )
  const { port } = server
  const app = await startChild('peers/guarded-app.ts', {
    issuer: `http://localhost:${port}`,
    credentials,
    core: SERVER_CORE,
  })
  started.defer(() => void app.kill())
  const routes = await ask<{ express: number; fastify: number }>(app, 'ports')
  const pairs = await logInAll(port)
  const running = started.move()
  return {
    name: 'countersign',
    settings: 'SQLite, WAL, synchronous=FULL, one process, ES256, throttle off',
    operations: [
      ...simpleJwtOperations({ port, pairs, hash: 'argon2id, 19 MiB, 2 passes' }),
      callingWith({ port: routes.express, path: '/me', variant: 'guard in Express', pairs }),
      callingWith({ port: routes.fastify, path: '/me', variant: 'guard in Fastify', pairs }),
    ],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function createAccounts(dataDir: string): Promise<void> {
  const authority = await createAuthority({ dataDir, logLevel: 'silent' })
  try {
    for (let i = 0; i < ACCOUNTS; i += 1) {
      const created = await authority.accounts.create(
        { username: `user${i}`, password: PASSWORD },
        'bench',
      )
      if (!created.ok) throw new Error(created.text)
    }
  } finally {
    await authority.close()
  }
}

async function logInAll(port: number): Promise<Pair[]> {
  const connection = await HttpConnection.open(port)
  const pairs: Pair[] = []
  for (let i = 0; i < CLIENTS; i += 1) {
    const credentials = JSON.stringify({ username: `user${i}`, password: PASSWORD })
    const { status, body } = await connection.post('/api/token/', credentials)
    if (status !== 200) throw new Error(`a login answered ${status}: ${body}`)
    pairs.push(JSON.parse(body) as Pair)
  }
  connection.close()
  return pairs
}
