import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { makeCertificate } from '../../../tests/support/certificate.ts'
import { outboundKindOf } from '../src/base/outbound-addresses.ts'
import {
  createOutbound,
  describeOutboundFault,
  OutboundFault,
  type ResolveHost,
} from '../src/base/outbound.ts'

interface Receiver {
  readonly port: number
  readonly requests: {
    readonly method: string
    readonly path: string
    readonly body: string
    readonly headers: IncomingMessage['headers']
  }[]
  /** Connections, also those without a request. */
  readonly connections: () => number
  answer: (response: ServerResponse) => void
  close(): Promise<void>
}

async function openReceiver(): Promise<Receiver> {
  const requests: Receiver['requests'] = []
  let connections = 0
  const receiver = {
    requests,
    connections: () => connections,
    answer: (response: ServerResponse) => void response.end('hello'),
  }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      requests.push({ method, path: url, body, headers })
      receiver.answer(response)
    })
  })
  server.on('connection', () => (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // It listens on TCP.
  return Object.assign(receiver, {
    port,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}

let receiver: Receiver
beforeEach(async () => {
  receiver = await openReceiver()
})
afterEach(() => receiver.close())

const at = (path: string): string => `http://127.0.0.1:${receiver.port}${path}`

async function reasonOf(work: Promise<unknown>): Promise<string> {
  const fault = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  return fault instanceof OutboundFault ? fault.reason : `no fault: ${String(fault)}`
}

test('a request is sent, and its whole answer returned', async () => {
  const outbound = createOutbound({ allowPrivate: true })
  const answer = await outbound(at('/logout'), {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'token',
  })
  expect([answer.status, answer.body.toString()]).toEqual([200, 'hello'])
  expect(receiver.requests).toEqual([
    {
      method: 'POST',
      path: '/logout',
      body: 'token',
      headers: expect.objectContaining({
        'user-agent': 'Countersign',
        'content-type': 'text/plain',
      }),
    },
  ])
})

test.each([
  ['93.184.216.34', 'public'],
  ['2606:2800:220:1::1', 'public'],
  ['64:ff9b::93.184.216.34', 'public'],
  ['10.0.0.1', 'internal'],
  ['172.16.0.1', 'internal'],
  ['172.31.255.255', 'internal'],
  ['172.32.0.1', 'public'],
  ['192.168.1.1', 'internal'],
  ['100.64.0.1', 'internal'],
  ['127.0.0.1', 'internal'],
  ['127.255.255.254', 'internal'],
  ['::1', 'internal'],
  ['fd12:3456::1', 'internal'],
  ['::ffff:10.0.0.1', 'internal'],
  ['::ffff:0a00:0001', 'internal'],
  ['64:ff9b::10.0.0.1', 'internal'],
  ['64:ff9b::0.0.0.1', 'forbidden'],
  ['0.0.0.0', 'forbidden'],
  ['169.254.169.254', 'forbidden'],
  ['::ffff:169.254.169.254', 'forbidden'],
  ['64:ff9b::a9fe:a9fe', 'forbidden'],
  ['168.63.129.16', 'forbidden'],
  ['100.100.100.200', 'forbidden'],
  ['fd00:ec2::254', 'forbidden'],
  ['fe80::1', 'forbidden'],
  ['fe80::1%eth0', 'forbidden'],
  ['224.0.0.1', 'forbidden'],
  ['255.255.255.255', 'forbidden'],
  ['ff02::1', 'forbidden'],
  ['::', 'forbidden'],
  ['::127.0.0.1', 'forbidden'],
  ['::ffff:0:127.0.0.1', 'forbidden'],
  ['2001:db8::1', 'forbidden'],
  ['2001::1', 'forbidden'],
  ['2002:7f00:1::', 'forbidden'],
  ['fec0::1', 'forbidden'],
  ['example.com', 'forbidden'],
  ['', 'forbidden'],
])('%s is %s', (address, kind) => expect(outboundKindOf(address)).toBe(kind))

describe('without private networks, no connection is made to', () => {
  test.each([
    'http://127.0.0.1:PORT/',
    'http://127.1:PORT/',
    'http://2130706433:PORT/',
    'http://0177.0.0.1:PORT/',
    'http://0x7f.0.0.1:PORT/',
    'http://127.0.0.1.:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::ffff:7f00:1]:PORT/',
    'http://[::1]:PORT/',
    'http://[::]:PORT/',
    'http://0.0.0.0:PORT/',
    'http://0:PORT/',
    'https://127.0.0.1:PORT/',
    'http://localhost:PORT/',
    'http://LOCALHOST:PORT/',
    'http://10.0.0.1/',
    'http://[::ffff:10.0.0.1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://①②⑦.⓪.⓪.①:PORT/',
  ])('%s', async (url) => {
    const outbound = createOutbound({ allowPrivate: false })
    expect(await reasonOf(outbound(url.replace('PORT', String(receiver.port))))).toBe(
      'address_forbidden',
    )
    expect(receiver.connections()).toBe(0)
  })
})

test.each(['http://169.254.169.254/', 'http://[fe80::1]/', 'http://0.0.0.0/', 'http://224.0.0.1/'])(
  'also with private networks, %s is never called',
  async (url) => {
    expect(await reasonOf(createOutbound({ allowPrivate: true })(url))).toBe('address_forbidden')
  },
)

test.each([
  'gopher://127.0.0.1/',
  'file:///etc/passwd',
  'ftp://example.com/',
  'http://user@127.0.0.1/',
  'http://user:pw@127.0.0.1/',
  'not a url',
  '',
])('%j is no URL to call', async (url) => {
  expect(await reasonOf(createOutbound({ allowPrivate: true })(url))).toBe('url_invalid')
})

describe('a name', () => {
  const named = (path = '/'): string => `http://app.example.com:${receiver.port}${path}`

  test('is looked up once, so a name that changes afterwards gains nothing', async () => {
    const asked: string[] = []
    const resolve: ResolveHost = async (host) =>
      asked.push(host) === 1 ? ['127.0.0.1'] : ['169.254.169.254']
    const outbound = createOutbound({ allowPrivate: true, resolve })
    expect((await outbound(named())).status).toBe(200)
    expect(asked).toEqual(['app.example.com'])
    expect(receiver.requests.map(({ headers }) => headers.host)).toEqual([
      `app.example.com:${receiver.port}`,
    ])
    expect(await reasonOf(outbound(named()))).toBe('address_forbidden')
    expect(receiver.connections()).toBe(1)
  })

  test('that leads to this machine is not called without private networks', async () => {
    const resolve: ResolveHost = async () => ['127.0.0.1', '::1', '10.0.0.1']
    const outbound = createOutbound({ allowPrivate: false, resolve })
    expect(await reasonOf(outbound(named()))).toBe('address_forbidden')
    expect(receiver.connections()).toBe(0)
  })

  test('with forbidden addresses among others is called at the others only', async () => {
    const resolve: ResolveHost = async () => ['169.254.169.254', '127.0.0.1', 'fe80::1']
    expect((await createOutbound({ allowPrivate: true, resolve })(named())).status).toBe(200)
    expect(receiver.connections()).toBe(1)
  })

  test('that has no addresses, or whose look-up fails, is a fault', async () => {
    const none = createOutbound({ allowPrivate: true, resolve: async () => [] })
    expect(await reasonOf(none(named()))).toBe('name_unresolved')
    const failing = createOutbound({
      allowPrivate: true,
      resolve: () => Promise.reject(new Error('ENOTFOUND')),
    })
    expect(await reasonOf(failing(named()))).toBe('name_unresolved')
  })

  test('of a public host is not called with plain http', async () => {
    const outbound = createOutbound({ allowPrivate: true, resolve: async () => ['93.184.216.34'] })
    expect(await reasonOf(outbound(named()))).toBe('plain_http')
  })

  test('that is never resolved ends with its time', async () => {
    const outbound = createOutbound({
      allowPrivate: true,
      answerMs: 50,
      resolve: () => new Promise(() => {}),
    })
    expect(await reasonOf(outbound(named()))).toBe('timeout')
  })
})

test('a certificate that is not trusted ends the connection before the request', async () => {
  const requests: string[] = []
  const server = createTlsServer(makeCertificate(), (request, response) => {
    requests.push(request.url ?? '')
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // It listens on TCP.
  const outbound = createOutbound({ allowPrivate: true })
  const fault: unknown = await outbound(`https://localhost:${port}/`).catch(
    (error: unknown) => error,
  )
  server.close()
  expect(describeOutboundFault(fault)).toEqual({
    reason: 'connection_failed',
    error: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  })
  expect(requests).toEqual([])
})

describe('the answer', () => {
  test.each([301, 302, 303, 307, 308, 304])('%i is not followed', async (status) => {
    receiver.answer = (response) => response.writeHead(status, { location: at('/inside') }).end()
    expect(await reasonOf(createOutbound({ allowPrivate: true })(at('/')))).toBe('redirected')
    expect(receiver.requests).toHaveLength(1)
  })

  test('may have 64 KiB, and not more', async () => {
    const outbound = createOutbound({ allowPrivate: true })
    receiver.answer = (response) => response.end('x'.repeat(64 * 1024))
    expect((await outbound(at('/'))).body).toHaveLength(64 * 1024)
    receiver.answer = (response) => response.end('x'.repeat(64 * 1024 + 1))
    expect(await reasonOf(outbound(at('/')))).toBe('too_large')
  })

  test('that never ends is cut off', async () => {
    receiver.answer = (response) => {
      const more = setInterval(() => response.write('x'.repeat(4_096)), 1)
      response.on('close', () => clearInterval(more))
    }
    expect(await reasonOf(createOutbound({ allowPrivate: true })(at('/')))).toBe('too_large')
  })

  test.each([
    ['never begins', () => {}],
    ['never goes on', (response: ServerResponse) => void response.write('x')],
  ])('that %s ends with its time', async (_, answer) => {
    receiver.answer = answer
    const outbound = createOutbound({ allowPrivate: true, answerMs: 100 })
    expect(await reasonOf(outbound(at('/')))).toBe('timeout')
  })

  test.each([
    ['breaks off before it begins', (response: ServerResponse) => void response.destroy()],
    [
      'breaks off in its middle',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('x', () => response.destroy())
      },
    ],
    [
      'switches protocols',
      (response: ServerResponse) => {
        response.socket?.end(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
        )
      },
    ],
  ])('that %s is a fault', async (_, answer) => {
    receiver.answer = answer
    expect(await reasonOf(createOutbound({ allowPrivate: true })(at('/')))).toBe(
      'connection_failed',
    )
  })

  test('is no longer awaited when the caller stops', async () => {
    const stop = new AbortController()
    receiver.answer = () => stop.abort()
    const outbound = createOutbound({ allowPrivate: true })
    expect(await reasonOf(outbound(at('/'), { signal: stop.signal }))).toBe('stopped')
    expect(await reasonOf(outbound(at('/'), { signal: stop.signal }))).toBe('stopped')
  })
})
