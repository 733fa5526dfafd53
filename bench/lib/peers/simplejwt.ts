import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort, startProgram } from '../../../scripts/lib/processes.ts'
import type { Postgres } from '../../../tests/support/postgres.ts'
import { socketOf, versionOf } from './postgres-socket.ts'
import {
  ACCOUNTS,
  callingWith,
  PASSWORD,
  PEERS_FOLDER,
  simpleJwtOperations,
  SERVER_CORE,
  type Pair,
  type System,
} from './system.ts'

// An absolute path: Debian has installed the packages for this one, and PATH may contain another python3.
const PYTHON = '/usr/bin/python3'
const GUNICORN = '/usr/bin/gunicorn'

/** Twice the number of cores and one more, as the manual of Gunicorn recommends. The server has one core. */
const WORKERS = 3
const THREADS = 4

/** Starts Django with SimpleJWT under Gunicorn, on PostgreSQL if it is given, otherwise on SQLite. */
export async function startSimpleJwt(postgres: Postgres | undefined): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-simplejwt-'))
  await using started = new AsyncDisposableStack()
  started.defer(() => rmSync(folder, { recursive: true, force: true }))
  await postgres?.query('CREATE DATABASE simplejwt')
  const database = postgres === undefined ? 'SQLite' : 'PostgreSQL'
  const env = {
    ACCOUNT_PASSWORD: PASSWORD,
    PYTHONDONTWRITEBYTECODE: '1',
    ...(postgres === undefined ? { SQLITE_PATH: join(folder, 'db.sqlite3') } : socketOf(postgres)),
  }
  const pairs = prepare(env)
  const port = await freePort()
  const options = {
    'worker-class': 'gthread',
    workers: WORKERS,
    threads: THREADS,
    'keep-alive': 75,
    bind: `127.0.0.1:${port}`,
    chdir: PEERS_FOLDER,
  }
  const gunicorn = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  started.use(
    await startProgram({
      command: [
        'taskset',
        '-c',
        String(SERVER_CORE),
        GUNICORN,
        ...gunicorn,
        'simplejwt:application',
      ],
      cwd: folder,
      env,
      readyUrl: `http://127.0.0.1:${port}/me`,
    }),
  )
  const running = started.move()
  return {
    name: `simplejwt, ${database}`,
    settings: `${versions()}, ${WORKERS} workers (gthread) of ${THREADS} threads, rotation and blacklist, HS256, open connections to ${postgres === undefined ? 'SQLite in WAL mode' : await versionOf(postgres)} with durable commits`,
    operations: [
      ...simpleJwtOperations({ port, pairs, hash: 'PBKDF2-SHA256, 260,000 iterations' }),
      callingWith({ port, path: '/me', variant: 'JWTAuthentication', pairs }),
      callingWith({
        port,
        path: '/me-without-database',
        variant: 'JWTTokenUserAuthentication',
        pairs,
      }),
    ],
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Makes the tables and accounts, and returns the first tokens of each account. */
function prepare(env: Readonly<Record<string, string>>): Pair[] {
  const args = [join(PEERS_FOLDER, 'simplejwt.py'), String(ACCOUNTS)]
  return JSON.parse(execFileSync(PYTHON, args, { env }).toString()) as Pair[]
}

function versions(): string {
  const packages = [
    ['SimpleJWT', 'djangorestframework-simplejwt'],
    ['Django', 'django'],
    ['Gunicorn', 'gunicorn'],
  ]
  const names = packages.map(([, name]) => name)
  const program = `import sys, importlib.metadata as m\nprint(*map(m.version, sys.argv[1:]), sys.version.split()[0])`
  const found = execFileSync(PYTHON, ['-c', program, ...names.map(String)])
    .toString()
    .trim()
    .split(' ')
  return [...packages.map(([label]) => label), 'Python']
    .map((label, i) => `${label} ${found[i]}`)
    .join(', ')
}
