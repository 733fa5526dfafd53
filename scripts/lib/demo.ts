import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { freePort, startProgram } from './processes.ts'
import { walk } from './walk.ts'

const PASSWORD = 'only for this demo'
/** Long enough for the steps that need a valid token, and short enough to wait for its expiry. */
const ACCESS_LIFETIME_SEC = 5
const GUARD_TOLERANCE_SEC = 5
const GRACE_SEC = 2

/** How to start the two programs: from the sources, or from installed packages. */
export interface DemoPrograms {
  /** The program and arguments that start the command line. The words of a command are appended. */
  readonly authority: { readonly command: readonly string[]; readonly cwd: string }
  readonly api: { readonly command: readonly string[]; readonly cwd: string }
}

/** Starts an authority and the example API on free ports, runs all steps, and stops both. */
export async function runDemo(programs: DemoPrograms): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-demo-'))
  // `startProgram` ends the two programs when this process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  try {
    const [authorityPort, apiPort] = [await freePort(), await freePort()]
    const authorityUrl = `http://localhost:${authorityPort}`
    const apiUrl = `http://localhost:${apiPort}`
    await using running = new AsyncDisposableStack()
    const settings = {
      PORT: String(authorityPort),
      HOST: 'localhost',
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_ADMIN_PASSWORD: PASSWORD,
      COUNTERSIGN_ACCESS_LIFETIME: `${ACCESS_LIFETIME_SEC}s`,
      COUNTERSIGN_ROTATION_GRACE: `${GRACE_SEC}s`,
    }
    const { command, cwd } = programs.authority
    const authority = await startProgram({
      command: [...command, 'start'],
      cwd,
      env: settings,
      readyUrl: `${authorityUrl}/readyz`,
    })
    running.use(authority)
    const countersign = async (...words: readonly string[]): Promise<string> => {
      const [program = '', ...args] = command
      const env = { ...settings, PATH: process.env['PATH'] }
      return (await promisify(execFile)(program, [...args, ...words], { cwd, env })).stdout
    }
    const created = await countersign('clients', 'create', 'guards')
    const api = await startProgram({
      ...programs.api,
      env: {
        PORT: String(apiPort),
        ISSUER: authorityUrl,
        GUARD_CLIENT_ID: /Client id: +(\S+)/.exec(created)?.[1] ?? '',
        GUARD_CLIENT_SECRET: /Client secret: +(\S+)/.exec(created)?.[1] ?? '',
      },
      readyUrl: `${apiUrl}/readyz`,
    })
    running.use(api)
    process.stdout.write(`An authority runs at ${authorityUrl}, an API at ${apiUrl}.\n`)
    await walk({
      authorityUrl,
      apiUrl,
      username: 'admin',
      password: PASSWORD,
      accessDeadAfterMs: (ACCESS_LIFETIME_SEC + GUARD_TOLERANCE_SEC) * 1000 + 100,
      graceMs: GRACE_SEC * 1000 + 100,
      addRole: (role) => countersign('accounts', 'roles', 'add', 'admin', role),
    })
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}
