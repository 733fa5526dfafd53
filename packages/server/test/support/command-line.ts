import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const LAUNCHER = fileURLToPath(new URL('../../bin/countersign.cjs', import.meta.url))

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly dataDir: string
  readonly env?: Readonly<Record<string, string>>
  /** Its standard input. */
  readonly input?: string
  readonly cwd?: string
  /** The path of another Node. Default: the one that runs the tests. */
  readonly node?: string
  /** Runs it as this user. */
  readonly uid?: number
  /** Default: a minute. */
  readonly timeoutMs?: number
}

/** Runs `countersign WORDS` as a process until it ends, or its time has passed. */
export function runCommand(
  words: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return runProgram(options.node ?? process.execPath, [LAUNCHER, ...words], options)
}

/** The same through another program, such as `prlimit` or `script`. */
export function runProgram(
  program: string,
  words: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const child = spawn(program, words, {
    cwd: options.cwd ?? options.dataDir,
    env: commandEnvironment(options),
    stdio: 'pipe',
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined) // The command may end without reading.
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** The program and argument that start the command line, for programs that run it. */
export const launcher: readonly [string, string] = [process.execPath, LAUNCHER]

function commandEnvironment({ dataDir, env }: CommandOptions): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    COUNTERSIGN_DATA_DIR: dataDir,
    COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
    COUNTERSIGN_ARGON2_PASSES: '1',
    ...env,
  }
}
