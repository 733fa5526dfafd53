import 'reflect-metadata'

import {
  Controller,
  Get,
  Req,
  UseGuards,
  type DynamicModule,
  type INestApplication,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createGuard, type Guard } from '../../src/index.ts'
import { authOf, createNestGuard } from '../../src/adapters/nest.ts'
import { NOW_MS, TestIssuer } from '../support/issuer.ts'

/**
 * An application with one controller. Its decorators are called as functions, because the tests are compiled
 * without decorators.
 */
function applicationWith(guard: Guard): DynamicModule {
  class Routes {
    me(request: Parameters<typeof authOf>[0]): object {
      return { sub: authOf(request).sub }
    }
    open(): object {
      return { open: true }
    }
    tenant(): object {
      return {}
    }
  }
  const decorate = (name: 'me' | 'open' | 'tenant', ...decorators: MethodDecorator[]): void => {
    const descriptor = Object.getOwnPropertyDescriptor(Routes.prototype, name)
    for (const each of decorators) each(Routes.prototype, name, descriptor!)
  }
  decorate('me', Get('me'), UseGuards(createNestGuard(guard, { roles: ['reader'] })))
  decorate('open', Get('open'))
  const ofTenant = createNestGuard(guard, { tenant: ({ params }) => params['tenant'] })
  decorate('tenant', Get('of/:tenant'), UseGuards(ofTenant))
  Req()(Routes.prototype, 'me', 0)
  Controller()(Routes)
  return { module: Routes, controllers: [Routes] }
}

const PLATFORMS = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
}

describe.each(Object.entries(PLATFORMS))('NestJS on the %s platform', (_, createAdapter) => {
  const issuer = new TestIssuer()
  let guard: Guard
  let application: INestApplication
  let url: string
  beforeAll(async () => {
    await issuer.start()
    guard = createGuard({ issuer: issuer.url, clock: () => NOW_MS, onNotice: () => {} })
    application = await NestFactory.create(applicationWith(guard), createAdapter(), {
      logger: false,
    })
    await application.listen(0, '127.0.0.1')
    url = await application.getUrl()
  })
  afterAll(async () => {
    guard.close()
    await application.close()
    await issuer.stop()
  })

  const ask = (path: string, token?: string): Promise<Response> =>
    fetch(
      `${url}/${path}`,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    )

  test('accepts a valid token and puts its claims on the request', async () => {
    const response = await ask('me', issuer.token({ roles: ['reader'] }))
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ sub: issuer.claims()['sub'] })
  })

  test('compares the tenant in the path with the tenant of the token', async () => {
    expect((await ask('of/ten_1', issuer.token({ tid: 'ten_1' }))).status).toBe(200)
    expect((await ask('of/ten_2', issuer.token({ tid: 'ten_1' }))).status).toBe(403)
  })

  test('does not affect other routes', async () => {
    expect(await (await ask('open')).json()).toEqual({ open: true })
  })

  test('answers refused requests itself, as the other adapters do', async () => {
    const missing = await ask('me')
    expect(missing.status).toBe(401)
    expect(missing.headers.get('www-authenticate')).toBe(`Bearer realm="${issuer.url}"`)
    expect(missing.headers.get('content-type')).toBe('application/problem+json')
    expect(await missing.json()).toMatchObject({ code: 'token_missing' })
    const bad = await ask('me', 'x.y.z')
    expect(bad.status).toBe(401)
    expect(await bad.json()).toMatchObject({ code: 'token_invalid' })
    const other = await ask('me', issuer.token({ roles: ['writer'] }))
    expect(other.status).toBe(403)
    expect(await other.json()).toMatchObject({ code: 'role_missing' })
  })
})
