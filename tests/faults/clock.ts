import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The wall clock of a process, moved by libfaketime. The monotonic clock goes on, as on a real machine. */
export class MovableClock implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-clock-'))
  readonly #file = join(this.#folder, 'offset')

  constructor() {
    this.moveTo(0)
  }

  /** Sets how many seconds the clock is ahead of the true time. Negative: behind. */
  moveTo(aheadSec: number): void {
    writeFileSync(this.#file, `${aheadSec < 0 ? '-' : '+'}${Math.abs(aheadSec)}s\n`)
  }

  /** The environment of a process with this clock. */
  get env(): Record<string, string> {
    const [library = ''] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
