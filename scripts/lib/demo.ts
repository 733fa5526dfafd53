import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort, startProgram } from './processes.ts'
import { walk } from './walk.ts'

const PASSWORD = 'only for this demo'
const ACCESS_LIFETIME_SEC = 1
const GUARD_TOLERANCE_SEC = 5
const GRACE_SEC = 2

/** How to start the two programs: from the sources, or as users install them. */
export interface DemoPrograms {
  readonly authority: { readonly command: readonly string[]; readonly cwd: string }
  readonly api: { readonly command: readonly string[]; readonly cwd: string }
}

/** Starts an authority and the example API on free ports, walks through them, stops them. */
export async function runDemo(programs: DemoPrograms): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-demo-'))
  try {
    const [authorityPort, apiPort] = [await freePort(), await freePort()]
    const authorityUrl = `http://localhost:${authorityPort}`
    const apiUrl = `http://localhost:${apiPort}`
    await using running = new AsyncDisposableStack()
    const authority = await startProgram({
      ...programs.authority,
      env: {
        PORT: String(authorityPort),
        HOST: 'localhost',
        COUNTERSIGN_DATA_DIR: dataDir,
        COUNTERSIGN_ADMIN_PASSWORD: PASSWORD,
        COUNTERSIGN_ACCESS_LIFETIME: `${ACCESS_LIFETIME_SEC}s`,
        COUNTERSIGN_ROTATION_GRACE: `${GRACE_SEC}s`,
      },
      readyUrl: `${authorityUrl}/readyz`,
    })
    running.use(authority)
    const api = await startProgram({
      ...programs.api,
      env: { PORT: String(apiPort), ISSUER: authorityUrl },
      readyUrl: `${apiUrl}/`,
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
    })
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}
