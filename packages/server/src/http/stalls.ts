import type { IncomingMessage } from 'node:http'

const LOOK_MS = 100
/** A process that did nothing for this long has stood still, in milliseconds. */
const STALL_MS = 1_000
/** Connections that were waiting are accepted and read within this time. */
const SUSPECT_MS = 2_000

let lookedAtMs = performance.now()
let suspectUntilMs = -Infinity
let timer: NodeJS.Timeout | undefined

function look(): boolean {
  const nowMs = performance.now()
  if (nowMs - lookedAtMs > STALL_MS) suspectUntilMs = nowMs + SUSPECT_MS
  lookedAtMs = nowMs
  return nowMs < suspectUntilMs
}

/** Begins to watch for stalls of this process. Call it before the first request. */
export function watchForStalls(): void {
  if (timer !== undefined) return
  lookedAtMs = performance.now()
  timer = setInterval(look, LOOK_MS).unref()
}

/**
 * Runs `next`, unless the client has given the request up while this process stood still: its machine was overloaded, or
 * the process was stopped. The client, or the proxy in front, has then sent the request to another node. If this node ran
 * the request too, it would see a refresh token that the other node has rotated long ago, and would end the session.
 */
export function unlessGivenUp(incoming: IncomingMessage, next: () => void): void {
  if (!look()) return next()
  const { socket } = incoming
  // The end of a connection is read one turn after its last bytes.
  setImmediate(() =>
    setImmediate(() => {
      if (socket.writable) next()
      else socket.destroy()
    }),
  )
}
