import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { createGuard } from '@countersign/guard'
import { requireAuth as expressAuth } from '@countersign/guard/express'
import { requireAuth as fastifyAuth } from '@countersign/guard/fastify'
import express from 'express'
import fastify from 'fastify'

import type { Credentials } from '../children.ts'

/**
 * The application of `bench/peers.ts`: `GET /me` behind one guard, in Express and in Fastify. The guard is connected to the
 * revocation feed of the authority. The parent sends the parameters, and then asks for the ports.
 */

interface Start {
  readonly issuer: string
  readonly credentials: Credentials
  readonly core: number
}

const [start] = (await once(process, 'message')) as [Start]
const pin = ['-a', '-c', '-p', String(start.core), String(process.pid)]
execFileSync('taskset', pin, { stdio: 'ignore' })

const guard = createGuard({ issuer: start.issuer, feed: start.credentials })
await guard.ready()

const expressApp = express()
expressApp.get('/me', expressAuth(guard), (_request, response) => {
  response.json({ ok: true })
})
const expressServer = createServer(expressApp).listen(0, '127.0.0.1')
await once(expressServer, 'listening')

const fastifyApp = fastify()
fastifyApp.get('/me', { onRequest: fastifyAuth(guard) }, () => ({ ok: true }))
await fastifyApp.listen({ port: 0, host: '127.0.0.1' })

const ports = {
  express: (expressServer.address() as AddressInfo).port,
  fastify: (fastifyApp.server.address() as AddressInfo).port,
}
process.on('message', () => process.send?.(ports))
process.once('disconnect', () => process.exit())
process.send?.('ready')
