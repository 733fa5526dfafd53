import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BIN = '/usr/lib/postgresql/15/bin'
const READY_MS_MAX = 60_000
const READY_WAIT_MS = 50

/** A PostgreSQL with its default settings, so with durable commits, on a Unix socket. The user is `postgres`. */
export interface Postgres extends AsyncDisposable {
  /** The folder with the socket, to pass as the host. */
  readonly sockets: string
  readonly version: string
  createDatabase(name: string): void
}

/** Starts Debian's PostgreSQL on an empty folder, bound to a core. Its programs refuse to run as root. */
export async function startPostgres(core: number): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'))
  const user = process.getuid?.() === 0 ? nobody() : undefined
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const options = { ...user, cwd: folder }
  const run = (program: string, args: readonly string[]): string =>
    execFileSync(join(BIN, program), args, { ...options, stdio: 'pipe' }).toString()

  run('initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'])
  const server = ['-D', data, '-k', folder, '-c', 'listen_addresses=']
  const child = spawn('taskset', ['-c', String(core), join(BIN, 'postgres'), ...server], {
    ...options,
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  // SIGQUIT ends the server and its processes at once.
  const kill = (): boolean => child.kill('SIGQUIT')
  process.once('exit', kill)
  const postgres: Postgres = {
    sockets: folder,
    version: run('postgres', ['--version']).trim(),
    createDatabase: (name) => void run('createdb', ['-h', folder, '-U', 'postgres', name]),
    async [Symbol.asyncDispose]() {
      process.off('exit', kill)
      child.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
  const late = performance.now() + READY_MS_MAX
  while (performance.now() < late && child.exitCode === null) {
    try {
      run('pg_isready', ['-q', '-h', folder])
      return postgres
    } catch {
      await new Promise((resolve) => setTimeout(resolve, READY_WAIT_MS))
    }
  }
  await postgres[Symbol.asyncDispose]()
  throw new Error('PostgreSQL did not start')
}

function nobody(): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody']).toString())
  return { uid: id('-u'), gid: id('-g') }
}
