import { execFile, execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const VERSIONS = '/usr/lib/postgresql'
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/postgres')
const NOBODY = 65_534

/** Returns the path of a program of the newest PostgreSQL that Debian has installed. */
export function programPath(program: string): string {
  const [version] = readdirSync(VERSIONS).toSorted((a, b) => Number(b) - Number(a))
  return join(VERSIONS, version ?? '', 'bin', program)
}

/**
 * Returns the command that runs a program as a user who is not root, because PostgreSQL refuses root. The program gets
 * `signal` when this process ends, even if it is killed.
 */
export function asNobody(
  signal: 'KILL' | 'QUIT',
  command: readonly string[],
): [program: string, args: string[]] {
  const ids = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups']
  return [
    '/usr/bin/setpriv',
    ['--pdeathsig', signal, ...(process.getuid?.() === 0 ? ids : []), ...command],
  ]
}

/**
 * Creates a folder for the user of `asNobody`, inside the folder `inside`. Without that, `onDisk` false puts it in memory
 * where Linux offers that.
 */
export function makeFolder(onDisk: boolean, inside?: string): string {
  const base = inside ?? (onDisk ? tmpdir() : memoryFolder())
  const folder = mkdtempSync(join(base, 'countersign-postgres-'))
  if (process.getuid?.() === 0) chownSync(folder, NOBODY, NOBODY)
  return folder
}

function memoryFolder(): string {
  const folder = '/dev/shm/countersign-tests'
  try {
    mkdirSync(folder, { recursive: true })
    return folder
  } catch {
    return tmpdir()
  }
}

/**
 * Removes the folder of a server that has ended, and the segment of shared memory that a killed server leaves. Linux
 * limits their number. Its id is in line 7 of postmaster.pid.
 */
export function removeFolder(folder: string): void {
  try {
    const lines = readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')
    const id = lines[6]?.trim().split(/\s+/)[1]
    if (id !== undefined) execFileSync('/usr/bin/ipcrm', ['-m', id], { stdio: 'ignore' })
  } catch {
    // It has stopped by itself.
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/**
 * Creates `folder/data` with an empty cluster. initdb takes most of a second of processor time, so later calls copy the
 * result of the first one.
 */
export async function createCluster(folder: string): Promise<void> {
  const data = join(folder, 'data')
  const version = programPath('initdb').split('/').at(-3) ?? ''
  const cached = join(CACHE, `${version}-${process.getuid?.()}`)
  try {
    await run('cp', ['-a', cached, data])
  } catch {
    await rm(data, { recursive: true, force: true })
    await initialise(data)
    mkdirSync(CACHE, { recursive: true })
    const copy = mkdtempSync(join(CACHE, 'new-'))
    await run('cp', ['-a', data, join(copy, 'data')])
    // Another process may have been first.
    await rename(join(copy, 'data'), cached).catch(() => {})
    await rm(copy, { recursive: true, force: true })
  }
}

async function initialise(data: string): Promise<void> {
  const options = ['--no-sync', '--auth=trust', '--username=postgres']
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8']
  const command = [programPath('initdb'), ...options, ...locale, '-D', data]
  await run(...asNobody('KILL', command), { cwd: '/' })
}
