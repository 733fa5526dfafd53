import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { LoggedProcess } from '../support/logged-process.ts'

const LAUNCHER = fileURLToPath(
  new URL('../../packages/server/bin/countersign.cjs', import.meta.url),
)

/** One of several servers on one database, as a process that a test breaks. */
export interface ClusterNode {
  readonly name: string
  readonly port: number
  readonly url: string
  readonly pid: number | undefined
  /** The output of all its processes so far. */
  output(): string
  kill(): Promise<void>
  /** Freezes it. Its connections stay open. */
  pause(): void
  resume(): void
  /** Stops it, and returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** Starts it again on the same port, and waits until it is ready. Does nothing if it runs. */
  start(): Promise<void>
}

export interface NodeOptions {
  readonly name: string
  readonly folder: string
  readonly port: number
  readonly env: Readonly<Record<string, string>>
  /** More words after `countersign start`. */
  readonly words?: readonly string[]
  /** The path that answers 200 when the node has started. Default: `/readyz`. */
  readonly until?: string
}

/** Prepares `countersign start`. The process ends with this one, even if this one is killed. */
export function prepareNode(options: NodeOptions): ClusterNode {
  const { name, port, words = [], until = '/readyz' } = options
  const folder = join(options.folder, name)
  mkdirSync(folder, { recursive: true })
  const url = `http://127.0.0.1:${port}`
  const env = { COUNTERSIGN_DATA_DIR: folder, PORT: String(port), ...options.env }
  const node = [process.execPath, LAUNCHER, 'start', ...words]
  const child = new LoggedProcess(
    ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', ...node]],
    join(folder, 'log'),
    env,
  )
  return {
    name,
    port,
    url,
    get pid() {
      return child.pid
    },
    output: () => child.output(),
    kill: async () => void (await child.end('SIGKILL')),
    pause: () => child.send('SIGSTOP'),
    resume: () => child.send('SIGCONT'),
    stop: (signal = 'SIGTERM') => child.end(signal),
    start: () =>
      child.start(async () => {
        const answer = await fetch(`${url}${until}`)
        if (!answer.ok) throw new Error(`${until} answered ${answer.status}`)
      }),
  }
}
