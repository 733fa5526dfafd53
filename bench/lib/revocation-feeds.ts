import {
  createBatchOpener,
  parseAuthorityMessage,
  type BatchOpener,
} from '@countersign/guard/revocations'
import { keySetFromJwks } from '@countersign/jwt'
import { WebSocket } from 'ws'

/**
 * Opens many connections to the feed in one process, for `bench/revocation.ts`. They share one signature
 * check for each batch. Guards on separate machines would check once each, and a thousand checks on one
 * machine would measure that machine. It records the time of each delivery.
 */

interface Start {
  readonly issuer: string
  /** The feed of each node. Connections are spread over them. */
  readonly urls: readonly string[]
  readonly authorization: string
  readonly connections: number
}

const ASK_EVERY_MS = 500
const LATEST_MS = 60_000
const histogram = new Uint32Array(LATEST_MS)
let delivered = 0
/** Revocations before this moment are not counted. */
let countFrom = Infinity
let open: BatchOpener | undefined
/** When the entries of each batch were written, keyed by its signed head. */
const known = new Map<string, readonly number[]>()

// Also when the benchmark has failed.
process.once('disconnect', () => process.exit())
process.once('message', (message) => {
  void run(message as Start)
})

async function run({ issuer, urls, authorization, connections }: Start): Promise<void> {
  const sockets: WebSocket[] = []
  for (let index = 0; index < connections; index++) {
    const url = `${urls[index % urls.length]}?guard=feed-of-process-${process.pid}-${index}`
    sockets.push(await connect(url, { issuer, authorization }))
  }
  // The guards ask at different moments, like guards that were not started together.
  const asking = sockets.map((socket, index) => {
    const ask = (): void =>
      socket.send(JSON.stringify({ type: 'nonce', nonce: nonce(), applied: 0 }))
    const phaseMs = (index * ASK_EVERY_MS) / sockets.length
    let timer = setTimeout(() => (timer = setInterval(ask, ASK_EVERY_MS)), phaseMs)
    return () => clearInterval(timer)
  })
  process.on('message', (message) => {
    if (typeof message === 'object') {
      countFrom = (message as { readonly countFrom: number }).countFrom
      return
    }
    for (const stop of asking) stop()
    const counts = [...histogram.entries()].filter(([, times]) => times > 0)
    process.send?.({ delivered, histogram: counts }, undefined, undefined, () => {
      for (const socket of sockets) socket.terminate()
      process.disconnect()
    })
  })
  process.send?.('ready')
}

function connect(
  url: string,
  { issuer, authorization }: Pick<Start, 'issuer' | 'authorization'>,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers: { authorization }, perMessageDeflate: false })
    socket.once('error', reject)
    let isLive = false
    socket.on('message', (data: Buffer) => {
      // Most messages have the same bytes for all guards. The first characters identify a batch.
      if (isLive) return note(data)
      const message = parseAuthorityMessage(data.toString())
      if (message?.type === 'keys') {
        const keys = keySetFromJwks(message.jwks)
        if (keys !== undefined) open ??= createBatchOpener(keys, issuer)
      }
      if (message?.type === 'snapshot' || message?.type === 'resumed') {
        isLive = true
        resolve(socket)
      }
    })
    socket.once('open', () => socket.send(JSON.stringify({ type: 'resume' })))
  })
}

function note(data: Buffer): void {
  const head = data.toString('latin1', 0, HEAD_CHARS)
  if (!head.startsWith('{"type":"batch"')) return
  let times = known.get(head)
  if (times === undefined) {
    const message = parseAuthorityMessage(data.toString())
    const batch = message?.type === 'batch' ? open?.(message) : undefined
    if (batch === undefined) throw new Error('a batch is not signed by the authority')
    times = batch.entries.map(({ at }) => at).filter((at) => at >= countFrom)
    known.set(head, times)
  }
  const now = Date.now()
  delivered += times.length
  for (const at of times) {
    const ms = Math.min(LATEST_MS - 1, Math.max(0, now - at))
    histogram[ms] = (histogram[ms] ?? 0) + 1
  }
}

// Long enough to include the positions, which differ between batches. They follow the header and the issuer.
const HEAD_CHARS = 480

let nonces = 0

function nonce(): string {
  nonces += 1
  return `nonce-of-process-${process.pid}-${nonces}`
}
