import { WebSocket } from 'ws'

/**
 * Many light guards in one process, for `bench/feed.ts`: real WebSocket connections that send what a guard
 * sends. They check no signatures, because ten thousand guards on one machine would measure that machine.
 */

interface Start {
  readonly url: string
  readonly authorization: string
  readonly guards: number
}

interface Echo {
  readonly type: string
  readonly nonce: string
  readonly ask_ms?: number
}

/** How many connections are opened at the same time. */
const OPENING_MAX = 32
const ASK_MS = 500
/** A guard closes a connection that is silent for so much longer than its interval, in milliseconds. */
const SILENCE_MS = 2_000
const RECONNECT_MS = 5_000

let open = 0
let lost = 0
let leaseAgeMaxMs = 0
let echoMaxMs = 0
let echoes = 0
let askMs = ASK_MS

process.once('message', (message) => {
  void run(message as Start)
})

async function run({ url, authorization, guards }: Start): Promise<void> {
  process.on('message', (message) => {
    if (message === 'count') {
      leaseAgeMaxMs = 0
      echoMaxMs = 0
      echoes = 0
      return
    }
    process.send?.({ open, lost, leaseAgeMaxMs, echoMaxMs, echoes, askMs })
    if (message === 'end') process.exit()
  })
  process.send?.('ready')
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < guards) {
      next += 1
      const address = `${url}?guard=feed-of-process-${process.pid}-${next}`
      await new Promise<void>((resolve) => keepOpen(address, authorization, resolve))
    }
  }
  await Promise.all(Array.from({ length: OPENING_MAX }, lane))
}

/** Keeps the feed of one guard open, as a guard does. Calls `proved` with each first echo. */
function keepOpen(url: string, authorization: string, proved: () => void): void {
  const socket = new WebSocket(url, { headers: { authorization }, perMessageDeflate: false })
  let provedAt: number | undefined
  let sentAt = 0
  let count = 0
  let heardAt = Infinity
  let timer: NodeJS.Timeout | undefined
  const send = (): void => {
    const now = performance.now()
    if (now - heardAt > askMs + SILENCE_MS) return socket.terminate()
    sentAt = now
    count += 1
    socket.send(JSON.stringify({ type: 'nonce', nonce: `nonce-${count}-of-a-guard`, applied: 0 }))
    timer = setTimeout(send, askMs * (1 - 0.1 * Math.random()))
  }
  // A `close` event follows.
  socket.on('error', () => {})
  socket.once('close', () => {
    clearTimeout(timer)
    if (provedAt !== undefined) open -= 1
    lost += 1
    setTimeout(() => keepOpen(url, authorization, proved), 250 + RECONNECT_MS * Math.random())
  })
  socket.on('message', (data: Buffer) => {
    heardAt = performance.now()
    if (!data.toString('latin1', 0, 14).startsWith('{"type":"echo"')) return
    const echo = JSON.parse(data.toString()) as Echo
    if (echo.nonce !== `nonce-${count}-of-a-guard`) return
    askMs = echo.ask_ms ?? ASK_MS
    echoes += 1
    echoMaxMs = Math.max(echoMaxMs, heardAt - sentAt)
    if (provedAt === undefined) open += 1
    else leaseAgeMaxMs = Math.max(leaseAgeMaxMs, heardAt - provedAt)
    provedAt = sentAt
    proved()
  })
  socket.once('open', () => {
    socket.send(JSON.stringify({ type: 'resume' }))
    send()
  })
}
