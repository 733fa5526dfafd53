import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A range service for breached passwords on a port of its own. */
export interface RangeService extends AsyncDisposable {
  /** The URL to which a prefix is appended. */
  readonly url: string
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[]
  /** Adds a password. A count of 0 makes it padding. */
  breach(password: string, count?: number): void
  /** Replaces the answers. Undefined: the right ones again. */
  misbehave(answer: ((response: ServerResponse) => void) | undefined): void
  /** Closes the port. */
  stop(): Promise<void>
}

export function sha1Of(password: string): string {
  return createHash('sha1').update(password).digest('hex').toUpperCase()
}

export async function startRangeService(): Promise<RangeService> {
  const counts = new Map<string, number>()
  const requests: RangeService['requests'] = []
  let misbehaviour: ((response: ServerResponse) => void) | undefined
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    requests.push({ path, headers: request.headers })
    if (misbehaviour !== undefined) {
      misbehaviour(response)
      return
    }
    const prefix = path.slice(path.lastIndexOf('/') + 1)
    const own = [...counts].filter(([hash]) => hash.startsWith(prefix))
    const others = ['0', 'F'].map((digit) => `${digit.repeat(35)}:0`)
    response.end([...others, ...own.map(([hash, n]) => `${hash.slice(5)}:${n}`)].join('\r\n'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // It listens on TCP.
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  return {
    url: `http://127.0.0.1:${port}/range/`,
    requests,
    breach: (password, count = 1) => void counts.set(sha1Of(password), count),
    misbehave: (answer) => (misbehaviour = answer),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
