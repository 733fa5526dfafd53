import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

import { packAll } from '../../scripts/pack.ts'
import { startProgram, type Started } from '../../scripts/lib/processes.ts'

export const NEXT_EXAMPLE = join(import.meta.dirname, '../../examples/nextjs')

const QUIET = { NEXT_TELEMETRY_DISABLED: '1' }

/** examples/nextjs, built for production outside the repository. */
export interface NextApp extends Disposable {
  start(port: number, env: Readonly<Record<string, string>>): Promise<Started>
}

/** Installs Next.js and the packed client, as users do, and builds the example. Takes about two minutes. */
export async function buildNextApp(): Promise<NextApp> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-next-'))
  const dispose = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const isSource = (path: string): boolean => !/^(?:node_modules|\.next)$/.test(basename(path))
    cpSync(NEXT_EXAMPLE, folder, { recursive: true, filter: isSource })
    useTarball(join(folder, 'package.json'))
    await run(folder, 'npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
    await run(folder, 'npm', ['run', 'build'])
  } catch (error) {
    dispose()
    throw error
  }
  return {
    start: (port, env) =>
      startProgram({
        command: [process.execPath, join(folder, 'node_modules/next/dist/bin/next'), 'start'],
        cwd: folder,
        env: { ...QUIET, ...env, PORT: String(port) },
        readyUrl: `http://127.0.0.1:${port}/about`,
      }),
    [Symbol.dispose]: dispose,
  }
}

function useTarball(manifest: string): void {
  const client = packAll().find(({ name }) => name === '@countersign/client')
  const text = readFileSync(manifest, 'utf8')
  writeFileSync(manifest, text.replace('file:../../packages/client', `file:${client?.path}`))
}

/** Runs a program. If it fails, the error has its output. */
async function run(cwd: string, program: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, ...QUIET }
  await promisify(execFile)(program, args, { cwd, env }).catch(
    (error: Error & { stdout: string }) => {
      throw new Error(`${error.message}\n${error.stdout}`, { cause: error })
    },
  )
}
