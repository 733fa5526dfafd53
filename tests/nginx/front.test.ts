import { constants } from 'node:crypto'
import { request } from 'node:http'
import { Agent } from 'node:https'
import { connect as connectTls } from 'node:tls'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { describeWith } from '../support/requirements.ts'
import { ask, askHttp2 } from './ask.ts'
import { HOST, startFront, type Front } from './front.ts'
import { startRecordingNode, type RecordingNode } from './node.ts'

describeWith('nginx', 'the configuration of deploy/nginx', () => {
  let nodes: readonly [RecordingNode, RecordingNode]
  let service: RecordingNode
  let front: Front

  beforeEach(async () => {
    nodes = [await startRecordingNode('first'), await startRecordingNode('second')]
    service = await startRecordingNode('service')
    front = await startFront({ nodes: nodes.map(({ port }) => port), service: service.port })
  })
  afterEach(async () => {
    for (const started of [front, service, ...(nodes ?? [])]) await started?.[Symbol.asyncDispose]()
  })

  const arrivals = () => nodes.flatMap((node) => node.arrivals)

  test('speaks HTTP/2 to clients', async () => {
    const [answer] = await askHttp2(front, [{ path: '/healthz' }])
    expect(answer).toMatchObject({ status: 200, body: expect.stringMatching(/^(first|second)$/) })
    expect(arrivals()).toHaveLength(1)
  })

  test.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('%s is accepted: %s', async (version, isAccepted) => {
    const { port, certificate } = front
    const outcome = await new Promise((resolve) => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        servername: HOST,
        ca: certificate.cert,
        checkServerIdentity: () => undefined,
        minVersion: version,
        maxVersion: version,
        // OpenSSL offers old versions only at this level.
        ciphers: `${constants.defaultCoreCipherList}:@SECLEVEL=0`,
      })
      socket.once('secureConnect', () => resolve(socket.getProtocol()))
      socket.once('error', () => resolve('refused'))
      socket.once('close', () => resolve('refused'))
    })
    expect(outcome).toBe(isAccepted ? version : 'refused')
  })

  test('another host name gets no certificate', async () => {
    const { port } = front
    const failed = new Promise((resolve) => {
      const socket = connectTls({ port, host: '127.0.0.1', servername: 'other.example.com' })
      socket.once('error', ({ message }) => resolve(message))
    })
    expect(await failed).toContain('unrecognized name')
  })

  test('overwrites what a client says about itself', async () => {
    const forged = {
      'x-forwarded-for': ['203.0.113.1', '203.0.113.2'],
      'x-forwarded-host': 'evil.example.com',
      'x-forwarded-proto': 'http',
      'x-forwarded-port': '1',
      'x-real-ip': '203.0.113.3',
      forwarded: 'for=203.0.113.4',
    }
    for (const path of ['/auth/me', '/api/x', '/revocations']) {
      expect((await ask(front, { path, headers: forged })).status).toBe(200)
    }
    const seen = [...arrivals(), ...service.arrivals]
    expect(seen).toHaveLength(3)
    for (const { headers } of seen) {
      expect(headers).toMatchObject({
        host: HOST,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': HOST,
        'x-forwarded-proto': 'https',
        'x-forwarded-port': String(front.port),
        'x-real-ip': '127.0.0.1',
      })
      expect(headers).not.toHaveProperty('forwarded')
    }
  })

  test('a flood of logins gets 429, and nothing else is limited', async () => {
    // Over one connection, so that they arrive at once, on a slow machine too.
    const flood = (path: string) => {
      const question = { path, method: 'POST', body: 'username=a' }
      return askHttp2(
        front,
        Array.from({ length: 90 }, () => question),
      )
    }
    const logins = await flood('/api/token/')
    const limited = logins.filter(({ status }) => status === 429)
    expect(logins.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(41)
    expect(limited.length).toBeGreaterThan(0)
    for (const { headers, body } of limited) {
      expect(headers).toMatchObject({
        'content-type': 'application/problem+json',
        'retry-after': '5',
        'cache-control': 'no-store',
      })
      expect(JSON.parse(body)).toMatchObject({ status: 429, code: 'throttled' })
    }
    const refreshes = await flood('/auth/refresh')
    expect(new Set(refreshes.map(({ status }) => status))).toEqual(new Set([200]))
  })

  test('keeps its connections to the nodes open', async () => {
    // One connection of a client, so that all its requests reach the same worker of nginx.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let n = 0; n < 20; n += 1) await ask(front, { path: '/healthz', agent })
    agent.destroy()
    expect(nodes.map((node) => node.arrivals.length)).toEqual([10, 10])
    // A connection may still be busy when the next request comes, but rarely.
    for (const node of nodes) expect(node.connections()).toBeLessThan(10)
  })

  test('if a node accepts no connection, the other one answers, also a POST', async () => {
    await nodes[0].stop()
    for (let n = 0; n < 8; n += 1) {
      const answer = await ask(front, { path: '/auth/refresh', method: 'POST', body: `n=${n}` })
      expect(answer).toMatchObject({ status: 200, body: 'second' })
    }
    expect(nodes[1].arrivals).toHaveLength(8)
  })

  test('if a node dies over a request, a GET is sent to the other one, and a POST is not', async () => {
    nodes[0].dropRequests()
    const gets = await Promise.all(
      Array.from({ length: 2 }, () => ask(front, { path: '/auth/me' })),
    )
    expect(gets.map(({ body }) => body)).toEqual(['second', 'second'])
    expect(nodes[0].arrivals.length).toBeGreaterThan(0)
  })

  test('a POST that a node has read is never sent again', async () => {
    for (const node of nodes) node.dropRequests()
    const answer = await ask(front, { path: '/auth/refresh', method: 'POST', body: 'x=1' })
    expect(answer.status).toBe(502)
    expect(arrivals()).toHaveLength(1)
  })

  test('plain HTTP leads a GET to https, and refuses everything else', async () => {
    const send = (method: string) =>
      new Promise<{ status: number | undefined; location: string | undefined }>(
        (resolve, reject) => {
          const options = { host: '127.0.0.1', port: front.plainPort, path: '/sign-in?a=1', method }
          request({ ...options, agent: false }, (answer) => {
            answer.resume()
            resolve({ status: answer.statusCode, location: answer.headers.location })
          })
            .once('error', reject)
            .end()
        },
      )
    expect(await send('GET')).toEqual({ status: 301, location: `https://${HOST}/sign-in?a=1` })
    expect(await send('POST')).toEqual({ status: 403, location: undefined })
    expect(arrivals()).toEqual([])
  })
})
