import type { ClientError } from '../error.ts'
import type { Client } from '../types.ts'

const PAUSE_MS = 5000

/**
 * Asks who is logged in until the authority has said it, and again whenever that is not known any more. Calls `onError`
 * after each attempt, without an error after the last one. Returns a function that stops it.
 */
export function askUntilKnown(
  client: Pick<Client, 'session' | 'onChange'>,
  onError: (error?: ClientError) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isStopped = false
  const ask = (): void => {
    clearTimeout(timer)
    client.session().then(
      () => isStopped || onError(),
      (failed: ClientError) => {
        if (isStopped) return
        onError(failed)
        clearTimeout(timer)
        timer = setTimeout(ask, (failed.retryAfterMs ?? PAUSE_MS) * (1 + Math.random()))
      },
    )
  }
  // A login whose answer was followed by an outage leaves open who is logged in.
  const unlisten = client.onChange((session) => session === undefined && ask())
  ask()
  return () => {
    isStopped = true
    unlisten()
    clearTimeout(timer)
  }
}
