import 'reflect-metadata'

import { createServer, type Server } from 'node:http'

import type { Guard, Requirements } from '@countersign/guard'
import * as onExpress from '@countersign/guard/express'
import * as onFastify from '@countersign/guard/fastify'
import * as onHono from '@countersign/guard/hono'
import { createNestGuard, type NestRequestView } from '@countersign/guard/nest'
import { serve } from '@hono/node-server'
import { Controller, Get, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import express from 'express'
import fastify, { type FastifyRequest } from 'fastify'
import { Hono, type Context } from 'hono'

import { freePort } from '../../scripts/lib/processes.ts'

/** A running service with one guarded GET route for each path. */
export interface Service {
  readonly origin: string
  close(): Promise<void>
}

/**
 * The requirements of each path. `named` returns the tenant that the path names, in the framework of the service.
 */
export type Routes = <FrameworkRequest>(
  named: (request: FrameworkRequest) => string | undefined,
) => Readonly<Record<string, Requirements<FrameworkRequest>>>

/** Starts a service with these routes on each framework. */
export const services: Readonly<
  Record<string, (guard: Guard, routes: Routes) => Promise<Service>>
> = {
  express: startExpress,
  fastify: startFastify,
  hono: startHono,
  nest: startNest,
}

async function startExpress(guard: Guard, routes: Routes): Promise<Service> {
  const app = express()
  const table = routes<onExpress.ExpressRequest>(({ params }) => params['tenant'])
  for (const [path, requirements] of Object.entries(table)) {
    app.get(path, onExpress.requireAuth(guard, requirements), (_request, response) => {
      response.json({})
    })
  }
  const server: Server = createServer(app)
  const port = await freePort()
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function startFastify(guard: Guard, routes: Routes): Promise<Service> {
  const app = fastify({ forceCloseConnections: true })
  const table = routes<FastifyRequest>(
    ({ params }) => (params as { readonly tenant?: string }).tenant,
  )
  for (const [path, requirements] of Object.entries(table)) {
    app.get(path, { onRequest: onFastify.requireAuth(guard, requirements) }, (_, reply) =>
      reply.send({}),
    )
  }
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { origin, close: () => app.close() }
}

function startHono(guard: Guard, routes: Routes): Promise<Service> {
  const app = new Hono()
  const table = routes<Context>((c) => c.req.param('tenant'))
  for (const [path, requirements] of Object.entries(table)) {
    app.get(path, onHono.requireAuth(guard, requirements), (c) => c.json({}))
  }
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
      resolve({
        origin: `http://127.0.0.1:${port}`,
        close: () => new Promise((done) => void server.close(() => done())),
      })
    })
  })
}

/** Its decorators are called by hand, because the tests are compiled without decorators. */
async function startNest(guard: Guard, routes: Routes): Promise<Service> {
  class Controlled {
    answer(): object {
      return {}
    }
  }
  const table = routes<NestRequestView>(({ params }) => params['tenant'])
  for (const [path, requirements] of Object.entries(table)) {
    Object.defineProperty(Controlled.prototype, path, {
      value(this: Controlled) {
        return this.answer()
      },
    })
    const method = Object.getOwnPropertyDescriptor(Controlled.prototype, path)
    const decorators = [Get(path), UseGuards(createNestGuard(guard, requirements))]
    for (const decorate of decorators) decorate(Controlled.prototype, path, method!)
  }
  Controller()(Controlled)
  const root = { module: Controlled, controllers: [Controlled] }
  const app = await NestFactory.create(root, new ExpressAdapter(), {
    logger: false,
    forceCloseConnections: true,
  })
  await app.listen(0, '127.0.0.1')
  return { origin: await app.getUrl(), close: () => app.close() }
}
