import { ClientError } from './error.ts'
import { startStopwatch } from './stopwatch.ts'

const FIRST_MS = 1000
const LAST_MS = 30_000

/** The time without refreshes after one has failed, so that many pages do not overload an authority in trouble. */
export interface Pause {
  /** Throws the last error while the pause lasts. */
  check(): void
  /** Begins a pause: as long as the authority asks for, otherwise twice the last one. Both get a random part. */
  begin(error: ClientError): void
  /** Ends the pause after a success. */
  end(): void
  /** Ends the pause if there was no network. */
  endOffline(): void
}

/** Creates the pause, which has not begun. */
export function createPause(): Pause {
  let failures = 0
  let lengthMs = 0
  let failed: ClientError | undefined
  let elapsed = startStopwatch()

  const pause: Pause = {
    check() {
      const leftMs = lengthMs - elapsed()
      if (!failed || leftMs <= 0) return
      const { code, status, message } = failed
      throw new ClientError(code, { status, message, retryAfterMs: leftMs, cause: failed })
    },
    begin(error) {
      // Without an answer the network is the cause, and it may be back at any moment.
      failures = error.status ? failures + 1 : 0
      const wanted = error.retryAfterMs ?? Math.min(FIRST_MS * 2 ** failures, LAST_MS) / 2
      lengthMs = wanted + Math.random() * Math.min(wanted, LAST_MS)
      failed = error
      elapsed = startStopwatch()
    },
    end() {
      failures = 0
      failed = undefined
    },
    endOffline() {
      if (failed?.status === undefined) pause.end()
    },
  }
  return pause
}
