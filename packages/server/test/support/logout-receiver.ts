import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An application that gets logout tokens, on a port of its own. */
export interface LogoutReceiver extends AsyncDisposable {
  readonly url: string
  readonly received: { readonly type: string; readonly token: string }[]
  readonly connections: () => number
  /** Replaces the answers. Undefined: 200 again. */
  answer: ((response: ServerResponse) => void) | undefined
}

export async function openLogoutReceiver(): Promise<LogoutReceiver> {
  const received: LogoutReceiver['received'] = []
  let connections = 0
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token') ?? ''
      received.push({ type: request.headers['content-type'] ?? '', token })
      if (receiver.answer === undefined) response.end()
      else receiver.answer(response)
    })
  })
  server.on('connection', () => (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // It listens on TCP.
  const receiver: LogoutReceiver = {
    url: `http://127.0.0.1:${port}/backchannel-logout`,
    received,
    connections: () => connections,
    answer: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}
