import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

/** The guard's result for a token, and how old its copy of the log may be. */
interface Verdict {
  readonly code: string
  readonly leaseAgeMs: number
}

/** A service with a guard, in a separate process. */
export class Service implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #waiting: ((verdict: Verdict) => void)[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (verdict) => this.#waiting.shift()?.(verdict as Verdict))
  }

  static start(options: object): Promise<Service> {
    const child = fork(join(import.meta.dirname, 'guard-process.ts'), [JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)))
      child.once('message', () => resolve(new Service(child)))
    })
  }

  async verify(token: string, policy: string): Promise<string> {
    return (await this.#ask({ token, policy })).code
  }

  #ask(question: object): Promise<Verdict> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#child.send(question)
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.removeAllListeners('exit')
    this.#child.kill('SIGKILL')
  }
}

const LAUNCHER = join(import.meta.dirname, '../../packages/server/bin/countersign.cjs')

/** Creates a service account for guards with the command, beside the running server. */
export function createServiceAccount(dataDir: string): {
  readonly clientId: string
  readonly clientSecret: string
} {
  const printed = execFileSync(process.execPath, [LAUNCHER, 'clients', 'create', 'guards'], {
    env: { PATH: process.env['PATH'], COUNTERSIGN_DATA_DIR: dataDir },
    encoding: 'utf8',
  })
  return {
    clientId: /svc_[\w-]+/.exec(printed)?.[0] ?? '',
    clientSecret: /Client secret: (\S+)/.exec(printed)?.[1] ?? '',
  }
}
