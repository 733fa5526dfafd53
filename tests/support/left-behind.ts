import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

// Reads the processes that are frozen at present, until its input ends with the process that has started it. Then it
// lets them continue, because a frozen process does not notice the signal of setpriv. A second later they have ended.
const SCRIPT = `
while read -r line; do pids=$line; done
[ -z "$pids" ] || kill -CONT $pids
sleep 1
rm -rf "$0"`

/** Removes the folder of a server soon after this process was killed. The server itself is to end with this process. */
export class LeftBehind {
  readonly #shell: ChildProcess
  readonly #input: Socket

  constructor(folder: string) {
    // Detached, so that Ctrl-C does not end it.
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, folder], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#shell.unref()
    // A pipe of Node is a socket.
    this.#input = this.#shell.stdin as Socket
    this.#input.on('error', () => {}).unref()
  }

  /** Says which processes are frozen now. */
  frozen(pids: readonly number[]): void {
    this.#input.write(`${pids.join(' ')}\n`)
  }

  /** Forgets the folder, after it was removed. */
  release(): void {
    this.#shell.kill('SIGKILL')
  }
}
