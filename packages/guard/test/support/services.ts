import { createServer } from 'node:http'
import { connect, type Server } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify, { type FastifyRequest } from 'fastify'
import { Hono, type Context } from 'hono'
import { cors } from 'hono/cors'
import * as onExpress from '../../src/adapters/express.ts'
import * as onFastify from '../../src/adapters/fastify.ts'
import * as onHono from '../../src/adapters/hono.ts'
import type { Guard } from '../../src/index.ts'
import { portOf } from './issuer.ts'

/**
 * A running service. GET /me and GET /item/:id require a token. GET /of/:tenant requires a token of that
 * tenant; for the tenant `fails` the requirement throws. All methods of /note require a token. All methods of
 * /hello accept one.
 */
export interface Service {
  readonly origin: string
  close(): Promise<void>
}

function tenantOf(name: string | undefined): string | undefined {
  if (name === 'fails') throw new Error('as asked')
  return name
}

/** Starts the same small service on each framework. A thrown error is answered 500 `error`. */
export const services: Readonly<Record<string, (guard: Guard) => Promise<Service>>> = {
  express: startExpress,
  fastify: startFastify,
  hono: startHono,
}

function startExpress(guard: Guard): Promise<Service> {
  const app = express()
  app.get('/me', onExpress.requireAuth(guard), (request, response) => {
    response.json(onExpress.authOf(request))
  })
  app.get('/item/:id', onExpress.requireAuth(guard), (request, response) => {
    const id: string = request.params.id
    response.json({ id, sub: onExpress.authOf(request).sub })
  })
  const tenant = (request: onExpress.ExpressRequest): string | undefined =>
    tenantOf(request.params['tenant'])
  app.get('/of/:tenant', onExpress.requireAuth(guard, { tenant }), (_request, response) => {
    response.json({})
  })
  app.all('/note', onExpress.requireAuth(guard), (request, response) => {
    response.json({ sub: onExpress.authOf(request).sub })
  })
  app.all('/hello', onExpress.optionalAuth(guard), (request, response) => {
    response.json({ sub: onExpress.optionalAuthOf(request)?.sub ?? null })
  })
  app.use(answerError)
  return listen(createServer(app))
}

const answerError: express.ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(500).send('error')
}

async function startFastify(guard: Guard): Promise<Service> {
  const app = fastify()
  app.setErrorHandler((_error, _request, reply) => reply.code(500).send('error'))
  app.get('/me', { onRequest: onFastify.requireAuth(guard) }, (request, reply) =>
    reply.send(onFastify.authOf(request)),
  )
  app.get<{ Params: { id: string } }>(
    '/item/:id',
    { preHandler: onFastify.requireAuth(guard) },
    (request, reply) => reply.send({ id: request.params.id, sub: onFastify.authOf(request).sub }),
  )
  const tenant = ({ params }: FastifyRequest): string | undefined =>
    tenantOf((params as { readonly tenant?: string }).tenant)
  app.get('/of/:tenant', { onRequest: onFastify.requireAuth(guard, { tenant }) }, (_, reply) =>
    reply.send({}),
  )
  app.all('/note', { onRequest: onFastify.requireAuth(guard) }, (request, reply) =>
    reply.send({ sub: onFastify.authOf(request).sub }),
  )
  app.all('/hello', { preHandler: [onFastify.optionalAuth(guard)] }, (request, reply) =>
    reply.send({ sub: onFastify.optionalAuthOf(request)?.sub ?? null }),
  )
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { origin, close: () => app.close() }
}

function startHono(guard: Guard): Promise<Service> {
  const app = new Hono()
  app.use('/me', cors({ origin: 'https://app.example' }))
  app.onError((_error, c) => c.text('error', 500))
  app.get('/me', onHono.requireAuth(guard), (c) => c.json(c.var.auth))
  app.get('/item/:id', onHono.requireAuth(guard), (c) =>
    c.json({ id: c.req.param('id'), sub: c.get('auth').sub }),
  )
  const tenant = (c: Context): string | undefined => tenantOf(c.req.param('tenant'))
  app.get('/of/:tenant', onHono.requireAuth(guard, { tenant }), (c) => c.json({}))
  app.all('/note', onHono.requireAuth(guard), (c) => c.json({ sub: c.var.auth.sub }))
  app.all('/hello', onHono.optionalAuth(guard), (c) => c.json({ sub: c.var.auth?.sub ?? null }))
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info) => {
      resolve({
        origin: `http://127.0.0.1:${info.port}`,
        close: () => new Promise((done) => void server.close(() => done())),
      })
    })
  })
}

/** Lets a Node server listen on any free port. */
export async function listen(server: Server): Promise<Service> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    origin: `http://127.0.0.1:${portOf(server)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
      }),
  }
}

/** Sends header lines unchanged, unlike fetch, and returns the whole answer as text. */
export function sendRaw(
  origin: string,
  path: string,
  lines: readonly string[],
  method = 'GET',
): Promise<string> {
  const { hostname, port } = new URL(origin)
  const request = [
    `${method} ${path} HTTP/1.1`,
    'Host: test',
    'Connection: close',
    ...lines,
    '',
    '',
  ]
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(request.join('\r\n')))
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}
