import 'reflect-metadata'

import {
  type ArgumentsHost,
  Catch,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  Get,
  HttpException,
  type INestApplication,
  Req,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import {
  AccessRefusedException,
  Auth,
  authOf,
  COUNTERSIGN_GUARD,
  CountersignModule,
  createNestGuard,
  Public,
  Requires,
  Roles,
} from '../../src/adapters/nest.ts'
import { createGuard, type Guard, refusals } from '../../src/index.ts'
import { athOf, DpopHolder } from '../support/dpop.ts'
import { NOW_MS, TestIssuer } from '../support/issuer.ts'

/** Decorates a route. Its decorators are called as functions: the tests are compiled without decorators. */
function decorate(target: { readonly prototype: object }, name: string, ...all: MethodDecorator[]) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name)
  for (const each of all) each(target.prototype, name, descriptor!)
}

/** A controller whose routes have guards of their own. */
function controllerWith(guard: Guard): new () => object {
  class Routes {
    me(request: object): object {
      return { sub: authOf(request).sub }
    }
    open(): object {
      return { open: true }
    }
    tenant(): object {
      return {}
    }
  }
  decorate(Routes, 'me', Get('me'), UseGuards(createNestGuard(guard, { roles: ['reader'] })))
  decorate(Routes, 'open', Get('open'))
  const ofTenant = createNestGuard(guard, { tenant: ({ params }) => params['tenant'] })
  decorate(Routes, 'tenant', Get('of/:tenant'), UseGuards(ofTenant))
  Req()(Routes.prototype, 'me', 0)
  Controller()(Routes)
  return Routes
}

/** Controllers for an application whose guard is global. */
function decoratedControllers(guard: Guard): (new () => object)[] {
  const loggedIn = createNestGuard(guard)

  class Plain {
    claims(claims: unknown): object {
      return { claims: claims ?? null }
    }
    open(claims: unknown): object {
      return { claims: claims ?? null }
    }
    admin(): object {
      return {}
    }
    mine(): object {
      return {}
    }
    both(): object {
      return {}
    }
  }
  decorate(Plain, 'claims', Get('claims'))
  decorate(Plain, 'open', Get('open'), Public())
  decorate(Plain, 'admin', Get('admin'), Roles('admin', 'owner'))
  decorate(Plain, 'mine', Get('mine'), Roles('admin'), Requires({ tenant: '*' }))
  // Contradictory: the stricter decorator counts.
  decorate(Plain, 'both', Get('both'), Public(), UseGuards(loggedIn))
  for (const name of ['claims', 'open']) Auth()(Plain.prototype, name, 0)
  Controller()(Plain)

  class Open {
    page(): object {
      return {}
    }
    admin(): object {
      return {}
    }
    guarded(): object {
      return {}
    }
  }
  decorate(Open, 'page', Get('page'))
  decorate(Open, 'admin', Get('admin'), Roles('admin'))
  decorate(Open, 'guarded', Get('guarded'), UseGuards(loggedIn))
  Controller('pages')(Open)
  Public()(Open)

  class Staff {
    list(): object {
      return {}
    }
    editors(): object {
      return {}
    }
    open(): object {
      return {}
    }
  }
  decorate(Staff, 'list', Get('list'))
  decorate(Staff, 'editors', Get('editors'), Roles('editor'))
  decorate(Staff, 'open', Get('open'), Public())
  Controller('staff')(Staff)
  Roles('staff')(Staff)
  return [Plain, Open, Staff]
}

// oxlint-disable-next-line no-extraneous-class -- NestJS identifies modules by their class
class Root {}
// oxlint-disable-next-line no-extraneous-class -- as above
class Config {}

const PLATFORMS = {
  express: () => new ExpressAdapter(),
  fastify: () => new FastifyAdapter(),
}

describe.each(Object.entries(PLATFORMS))('NestJS on the %s platform', (_, createAdapter) => {
  const issuer = new TestIssuer()
  const opened: INestApplication[] = []
  const guards: Guard[] = []
  beforeAll(() => issuer.start())
  afterAll(async () => {
    for (const guard of guards) guard.close()
    await Promise.all(opened.map((application) => application.close()))
    await issuer.stop()
  })

  function newGuard(): Guard {
    const guard = createGuard({ issuer: issuer.url, clock: () => NOW_MS, onNotice: () => {} })
    guards.push(guard)
    return guard
  }

  type Ask = (
    path: string,
    token?: string,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>

  async function start(
    parts: Partial<DynamicModule>,
    prepare: (application: INestApplication) => void = () => {},
  ): Promise<Ask> {
    const application = await NestFactory.create({ module: Root, ...parts }, createAdapter(), {
      logger: false,
    })
    opened.push(application)
    prepare(application)
    await application.listen(0, '127.0.0.1')
    const url = await application.getUrl()
    return (path, token, headers = {}) => {
      const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` }
      return fetch(`${url}/${path}`, { headers: { ...bearer, ...headers } })
    }
  }

  async function statusOf(answer: Promise<Response>): Promise<number> {
    return (await answer).status
  }

  describe('with guards on routes', () => {
    let ask: Ask
    beforeAll(async () => {
      ask = await start({ controllers: [controllerWith(newGuard())] })
    })

    test('accepts a valid token and stores its claims', async () => {
      const response = await ask('me', issuer.token({ roles: ['reader'] }))
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ sub: issuer.claims()['sub'] })
    })

    test('compares the tenant in the path with the tenant of the token', async () => {
      expect(await statusOf(ask('of/ten_1', issuer.token({ tid: 'ten_1' })))).toBe(200)
      expect(await statusOf(ask('of/ten_2', issuer.token({ tid: 'ten_1' })))).toBe(403)
    })

    test('does not affect other routes', async () => {
      expect(await (await ask('open')).json()).toEqual({ open: true })
    })

    test('NestJS answers refused requests with status, challenge and problem document', async () => {
      const missing = await ask('me')
      expect(missing.status).toBe(401)
      expect(missing.headers.get('www-authenticate')).toBe(`Bearer realm="${issuer.url}"`)
      expect(missing.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(missing.headers.get('cache-control')).toBe('no-store')
      expect(await missing.json()).toEqual({
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        detail: refusals.token_missing.text,
        code: 'token_missing',
      })
      const bad = await ask('me', 'x.y.z')
      expect(bad.status).toBe(401)
      expect(await bad.json()).toMatchObject({ code: 'token_invalid' })
      const other = await ask('me', issuer.token({ roles: ['writer'] }))
      expect(other.status).toBe(403)
      expect(await other.json()).toMatchObject({ code: 'role_missing' })
    })
  })

  test('a route that two guards check needs one proof of a bound token', async () => {
    const holder = new DpopHolder()
    const guard = createGuard({
      issuer: issuer.url,
      clock: () => NOW_MS,
      onNotice: () => {},
      dpop: { publicUrl: 'https://api.example' },
    })
    guards.push(guard)
    // The requirements of the module and those of @Roles are checked one after the other.
    const ask = await start({
      imports: [CountersignModule.forRoot({ guard, requirements: { roles: ['reader'] } })],
      controllers: decoratedControllers(guard),
    })
    const token = issuer.token({ roles: ['reader', 'admin'], cnf: { jkt: holder.jkt } })
    const dpop = holder.proof({ htu: 'https://api.example/admin', ath: athOf(token) })
    const headers = { authorization: `DPoP ${token}`, dpop }
    expect(await statusOf(ask('admin', undefined, headers))).toBe(200)
    const again = await ask('admin', undefined, headers)
    expect(again.status).toBe(401)
    expect(again.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_dpop_proof"/)
    expect(await statusOf(ask('admin', token))).toBe(401)
  })

  test('a filter for HttpException gets the refusal once, and its answer is the only one', async () => {
    const caught: unknown[] = []
    class Filter {
      catch(exception: HttpException, host: ArgumentsHost): void {
        caught.push(exception)
        interface Reply {
          status(code: number): this
          send(body: unknown): void
        }
        host
          .switchToHttp()
          .getResponse<Reply>()
          .status(exception.getStatus())
          .send({ error: exception.message })
      }
    }
    Catch(HttpException)(Filter)
    const ask = await start({ controllers: [controllerWith(newGuard())] }, (application) =>
      application.useGlobalFilters(new Filter()),
    )
    // An answer after an answer would be an unhandled rejection, which ends the process.
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const refused = await ask('me')
    expect(refused.status).toBe(401)
    expect(await refused.json()).toEqual({ error: refusals.token_missing.text })
    expect(refused.headers.get('www-authenticate')).toBe(`Bearer realm="${issuer.url}"`)
    expect(await statusOf(ask('me', issuer.token({ roles: ['reader'] })))).toBe(200)
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(caught).toHaveLength(1)
    expect(caught[0]).toBeInstanceOf(AccessRefusedException)
    expect(caught[0]).toMatchObject({ refused: { code: 'token_missing' } })
  })

  test('an answer that a timeout has already sent stays the only one', async () => {
    const guard = createGuard({
      issuer: 'https://auth.test',
      fetchTimeoutMs: 100,
      onNotice: () => {},
      fetch: () => new Promise(() => {}),
    })
    const filtered = vi.fn()
    class Filter {
      catch(): void {
        filtered()
      }
    }
    Catch()(Filter)
    const ask = await start({ controllers: [controllerWith(guard)] }, (application) => {
      application.useGlobalFilters(new Filter())
      application.use((_request: unknown, response: Answer, next: () => void) => {
        setTimeout(() => response.writeHead(503).end('late'), 20)
        next()
      })
    })
    interface Answer {
      writeHead(status: number): this
      end(text: string): void
    }
    expect(await (await ask('me', issuer.token())).text()).toBe('late')
    await expect.poll(() => guard.metrics().refused.keys_unavailable).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(filtered).not.toHaveBeenCalled()
    guard.close()
  })

  describe.each(['CountersignModule', 'useGlobalGuards', 'forRootAsync'])('%s', (how) => {
    let ask: Ask
    beforeAll(async () => {
      const guard = newGuard()
      const controllers = decoratedControllers(guard)
      if (how === 'useGlobalGuards') {
        ask = await start({ controllers }, (application) =>
          application.useGlobalGuards(createNestGuard(guard)),
        )
      } else if (how === 'forRootAsync') {
        const providers = [{ provide: 'OPTIONS', useValue: { guard } }]
        const imports = [{ module: Config, providers, exports: ['OPTIONS'] }]
        const inject = ['OPTIONS']
        const module = CountersignModule.forRootAsync({
          imports,
          inject,
          useFactory: (options: { guard: Guard }) => Promise.resolve(options),
        })
        ask = await start({ controllers, imports: [module] })
      } else {
        ask = await start({ controllers, imports: [CountersignModule.forRoot({ guard })] })
      }
    })

    test('every route needs a token, and @Auth() gives its claims', async () => {
      expect(await statusOf(ask('claims'))).toBe(401)
      const answer = await ask('claims', issuer.token())
      expect(await answer.json()).toEqual({ claims: issuer.claims() })
    })

    test('a public route accepts everybody, and reads a valid token', async () => {
      expect(await (await ask('open')).json()).toEqual({ claims: null })
      expect(await (await ask('open', 'x')).json()).toEqual({ claims: null })
      expect(await (await ask('open', issuer.token())).json()).toEqual({ claims: issuer.claims() })
    })

    test('@Roles needs one of its roles', async () => {
      expect(await statusOf(ask('admin', issuer.token({ roles: ['reader'] })))).toBe(403)
      expect(await statusOf(ask('admin', issuer.token({ roles: ['owner'] })))).toBe(200)
      expect(await statusOf(ask('admin'))).toBe(401)
    })

    test('@Requires and @Roles hold together', async () => {
      const inTenant = { tid: 'ten_1', tenant_roles: ['admin'] }
      expect(await statusOf(ask('mine', issuer.token(inTenant)))).toBe(200)
      expect(await statusOf(ask('mine', issuer.token({ roles: ['admin'] })))).toBe(403)
      expect(await statusOf(ask('mine', issuer.token({ tid: 'ten_1' })))).toBe(403)
      // Without a tenant in the requirement, the administrator of a customer is not one of ours.
      expect(await statusOf(ask('admin', issuer.token(inTenant)))).toBe(403)
    })

    test.each([
      ['pages/page', 200, 200],
      ['pages/admin', 401, 403],
      ['pages/guarded', 401, 200],
      ['both', 401, 200],
      ['staff/list', 401, 403],
      ['staff/editors', 401, 403],
      ['staff/open', 200, 200],
    ])('%s: %i without a token, %i with the role reader', async (path, without, withToken) => {
      expect(await statusOf(ask(path))).toBe(without)
      expect(await statusOf(ask(path, issuer.token()))).toBe(withToken)
    })

    test('@Roles of a route replaces @Roles of its controller', async () => {
      expect(await statusOf(ask('staff/list', issuer.token({ roles: ['staff'] })))).toBe(200)
      expect(await statusOf(ask('staff/editors', issuer.token({ roles: ['staff'] })))).toBe(403)
      expect(await statusOf(ask('staff/editors', issuer.token({ roles: ['editor'] })))).toBe(200)
    })
  })

  test('a decorator adds to the requirements of the guard, and replaces none', async () => {
    const guard = newGuard()
    const controllers = decoratedControllers(guard)
    const requirements = { roles: ['staff'] }
    const ask = await start({
      controllers,
      imports: [CountersignModule.forRoot({ guard, requirements })],
    })
    expect(await statusOf(ask('admin', issuer.token({ roles: ['admin'] })))).toBe(403)
    expect(await statusOf(ask('admin', issuer.token({ roles: ['admin', 'staff'] })))).toBe(200)
  })

  test('the module provides the guard and closes it with the application', async () => {
    const guard = newGuard()
    const close = vi.spyOn(guard, 'close')
    const application = await NestFactory.create(
      { module: Root, imports: [CountersignModule.forRoot({ guard })] },
      createAdapter(),
      { logger: false },
    )
    await application.init()
    expect(application.get(COUNTERSIGN_GUARD)).toBe(guard)
    await application.close()
    expect(close).toHaveBeenCalledOnce()
  })
})

describe('contexts that are not HTTP', () => {
  const issuer = new TestIssuer()
  let guard: Guard
  beforeAll(async () => {
    await issuer.start()
    guard = createGuard({
      issuer: issuer.url,
      clock: () => NOW_MS,
      onNotice: () => {},
      cookies: { name: 'cs_access' },
    })
  })
  afterAll(async () => {
    guard.close()
    await issuer.stop()
  })

  class Handlers {
    handle(): void {}
    open(): void {}
  }
  decorate(Handlers, 'open', Public())

  /** An execution context as NestJS passes it to guards: the handler, its arguments and their kind. */
  function contextOf(type: string, args: unknown[], name: 'handle' | 'open' = 'handle') {
    const context: Pick<ExecutionContext, 'getHandler'> & Record<string, () => unknown> = {
      getType: () => type,
      getArgs: () => args,
      getHandler: () => Handlers.prototype[name],
      getClass: () => Handlers,
    }
    // The guard calls no other member.
    return context as ExecutionContext & typeof context
  }

  const authorized = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  test.each([
    ['graphql', (request: object) => [{}, {}, { req: request }, {}], 2],
    ['ws', (request: object) => [{ handshake: request }, 'data'], 0],
    ['rpc', (request: object) => ['data', { request }], 1],
  ])('%s: getRequest returns the request', async (type, argumentsFor, carrier) => {
    const getRequest = (context: ExecutionContext) => {
      const [client, rpc, graphql] = context.getArgs<Record<string, never>[]>()
      return (graphql?.['req'] ?? client?.['handshake'] ?? rpc?.['request'])!
    }
    const nestGuard = createNestGuard(guard, {}, { getRequest })
    const accepted = argumentsFor(authorized(issuer.token()))
    expect(await nestGuard.canActivate(contextOf(type, accepted))).toBe(true)
    expect(authOf(accepted[carrier] as object).sub).toBe('acc-1')

    const refused = contextOf(type, argumentsFor(authorized('x')))
    await expect(nestGuard.canActivate(refused)).rejects.toBeInstanceOf(AccessRefusedException)
    const anonymous = contextOf(type, argumentsFor({ headers: {} }))
    await expect(nestGuard.canActivate(anonymous)).rejects.toMatchObject({
      status: 401,
      response: { code: 'token_missing', statusCode: 401 },
      message: refusals.token_missing.text,
      refused: { code: 'token_missing' },
    })
  })

  test('what a client of socket.io sent stays in its handshake', async () => {
    const auth = { token: issuer.token() }
    const client = { handshake: { headers: {}, auth } }
    const getRequest = () => {
      const { token } = client.handshake.auth
      return Object.assign(client.handshake, { headers: { authorization: `Bearer ${token}` } })
    }
    const nestGuard = createNestGuard(guard, {}, { getRequest })
    for (let message = 0; message < 2; message++) {
      expect(await nestGuard.canActivate(contextOf('ws', [client]))).toBe(true)
    }
    expect(client.handshake.auth).toBe(auth)
    expect(authOf(client).sub).toBe('acc-1')
  })

  test.each(['graphql', 'ws', 'rpc'])(
    '%s without getRequest: an error that names it',
    async (type) => {
      const context = contextOf(type, [{}, {}, {}])
      await expect(createNestGuard(guard).canActivate(context)).rejects.toThrow(/getRequest/)
      const open = contextOf(type, [{}, {}, {}], 'open')
      expect(await createNestGuard(guard).canActivate(open)).toBe(true)
    },
  )

  test('a getRequest that finds nothing: an error that names it', async () => {
    const getRequest = () => undefined as never
    const nestGuard = createNestGuard(guard, {}, { getRequest })
    await expect(nestGuard.canActivate(contextOf('rpc', ['', {}]))).rejects.toThrow(/getRequest/)
  })

  test('toException replaces the exception', async () => {
    class WsException extends Error {}
    const nestGuard = createNestGuard(
      guard,
      {},
      {
        getRequest: () => ({ headers: {} }),
        toException: ({ message }) => new WsException(message),
      },
    )
    await expect(nestGuard.canActivate(contextOf('ws', [{}]))).rejects.toBeInstanceOf(WsException)
  })

  test('a cookie of a socket counts only from an accepted origin', async () => {
    const cookie = `cs_access=${issuer.token({ csh: 'h' })}`
    const ask = (headers: object) =>
      createNestGuard(
        guard,
        {},
        { getRequest: () => ({ headers: { cookie, ...headers } }) },
      ).canActivate(contextOf('ws', [{}]))
    expect(await ask({ 'sec-fetch-site': 'same-origin' })).toBe(true)
    await expect(ask({ origin: 'https://evil.example' })).rejects.toMatchObject({
      refused: { code: 'csrf_failed', reason: 'origin_refused' },
    })
    await expect(ask({})).rejects.toMatchObject({ refused: { code: 'csrf_failed' } })
  })

  test('a web-standard request', async () => {
    const request = new Request('http://localhost', authorized(issuer.token()))
    const nestGuard = createNestGuard(guard, {}, { getRequest: () => request })
    expect(await nestGuard.canActivate(contextOf('graphql', [{}, {}, {}]))).toBe(true)
  })
})

test('@Roles without a role is a mistake', () => {
  expect(() => Roles()).toThrow(TypeError)
})
