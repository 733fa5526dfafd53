import { connect, createServer, type Socket } from 'node:net'

import { freePort } from '../../scripts/lib/processes.ts'

/**
 * A proxy that counts round trips: how often a client has sent something after it had an answer, so how often it has
 * waited for the network.
 */
export interface CountingProxy extends AsyncDisposable {
  readonly port: number
  readonly roundTrips: number
}

export async function startCountingProxy(target: number): Promise<CountingProxy> {
  let roundTrips = 0
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    let isAnswered = true
    client.on('data', (bytes) => {
      if (isAnswered) roundTrips += 1
      isAnswered = false
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      isAnswered = true
      client.write(bytes)
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    get roundTrips() {
      return roundTrips
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
