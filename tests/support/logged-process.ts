import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A busy machine may need much longer than the usual 0.2 seconds. */
const READY_MS_MAX = 60_000

/** A server process that can be started again. Its output is in a file, which has no buffer that fills up. */
export class LoggedProcess {
  readonly #command: readonly [program: string, args: readonly string[]]
  readonly #log: string
  readonly #env: Readonly<Record<string, string>> | undefined
  #child: ChildProcess | undefined

  /** Prepares a command. `log` is the path of the file. Without `env`, it gets the environment of this process. */
  constructor(
    command: readonly [program: string, args: readonly string[]],
    log: string,
    env?: Readonly<Record<string, string>>,
  ) {
    this.#command = command
    this.#log = log
    this.#env = env
  }

  /** The process, or undefined if it does not run. */
  get pid(): number | undefined {
    const child = this.#child
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined
  }

  /** Starts it and waits until `ready` resolves. Does nothing if it runs. */
  async start(ready: () => Promise<unknown>): Promise<void> {
    if (this.pid !== undefined) return
    const log = openSync(this.#log, 'a')
    const [program, args] = this.#command
    this.#child = spawn(program, args, {
      cwd: '/',
      stdio: ['ignore', log, log],
      ...(this.#env === undefined ? {} : { env: this.#env }),
    })
    closeSync(log)
    const late = performance.now() + READY_MS_MAX
    while (this.pid !== undefined && performance.now() < late) {
      try {
        await ready()
        return
      } catch {
        await sleep(10)
      }
    }
    throw new Error(`${args.join(' ')} did not start:\n${readFileSync(this.#log, 'utf8')}`)
  }

  /** Sends a signal if it runs. */
  send(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) this.#child?.kill(signal)
  }

  /** Sends a signal that ends it, and waits for its end. Returns the exit code, or null if a signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child === undefined || this.pid === undefined) return this.#child?.exitCode ?? null
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
    return this.#child.exitCode
  }

  /** Its whole output so far, also from before a restart. */
  output(): string {
    return readFileSync(this.#log, 'utf8')
  }
}
