import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'

import { createGuard, type Guard, type GuardOptions } from '@countersign/guard'
import { requireAuth as expressAuth } from '@countersign/guard/express'
import { requireAuth as fastifyAuth } from '@countersign/guard/fastify'
import { requireAuth as honoAuth } from '@countersign/guard/hono'
import { createKeySet, createSigner, importSigningKey, verifyingKeyOf } from '@countersign/jwt'
import fastifyJwt from '@fastify/jwt'
import { getRequestListener } from '@hono/node-server'
import { createAuthority, serve } from 'countersign'
import express from 'express'
import { expressjwt } from 'express-jwt'
import fastify, { type RouteShorthandOptions } from 'fastify'
import { Hono, type Context, type MiddlewareHandler } from 'hono'
import { jwt as honoJwt } from 'hono/jwt'

import { freePort } from '../../scripts/lib/processes.ts'

/**
 * The applications of `bench/route.ts`. Each has the same `GET /me` in several variants: bare, behind the
 * guard, behind a middleware that does nothing, behind a middleware that looks up the Authorization header in
 * a `Map`, and behind the framework's usual middleware with the same key. Each application has one route,
 * because a router that tests one route after the other would favour the first. The guard is connected to a
 * real authority in the same process, which only echoes. Arguments: framework, algorithm, number of tokens.
 */

type Variant = 'bare' | 'guard' | 'noop' | 'map' | 'own'

const [framework = '', alg = '', count = '0'] = process.argv.slice(2)
execFileSync('taskset', ['-a', '-c', '-p', '0', String(process.pid)], { stdio: 'ignore' })

// The secret is text, because one of the compared packages does not accept bytes.
const secret = randomBytes(24).toString('base64')
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const isHmac = alg === 'HS256'
const key = isHmac
  ? importSigningKey({ secret: Buffer.from(secret) }, { alg: 'HS256', kid: 'bench' })
  : importSigningKey(
      { keyObject: createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })) },
      { alg: 'ES256', kid: 'bench' },
    )
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()

const { guard, issuer } = await startGuard()
const now = Math.floor(Date.now() / 1000)
const claims = Array.from({ length: Number(count) }, (_, index) => ({
  iss: issuer,
  sub: `acct_${String(index).padStart(22, '0')}`,
  aud: issuer,
  exp: now + 3_600,
  iat: now,
  jti: randomBytes(16).toString('hex'),
  client_id: 'first-party',
  sid: `ses_${String(index).padStart(22, '0')}`,
  rvp: 0,
  roles: ['reader', 'writer'],
}))
const sign = (typ: string): readonly string[] => {
  const signer = createSigner(key, { typ })
  return claims.map((each) => signer.sign(each))
}
/** For measuring the cost of a check that only looks up the header in this map. */
const known = new Map<string, (typeof claims)[number]>()
// One of the compared packages accepts only the type JWT.
const tokens = { guard: sign('at+jwt'), own: sign('JWT') }
for (const [index, token] of tokens.guard.entries())
  known.set(`Bearer ${token}`, claims[index] ?? fail())
const ports = {
  bare: await listen('bare'),
  guard: await listen('guard'),
  noop: await listen('noop'),
  map: await listen('map'),
  own: await listen('own'),
}
process.send?.({ ports, tokens })

/**
 * Starts a guard with a live feed and with the token key of this process. The authority signs no tokens here.
 */
async function startGuard(): Promise<{ guard: Guard; issuer: string }> {
  const authorityPort = await freePort()
  const url = `http://127.0.0.1:${authorityPort}`
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  process.once('SIGTERM', () => {
    rmSync(dataDir, { recursive: true, force: true })
    process.exit()
  })
  const authority = await createAuthority({
    publicUrl: url,
    dataDir,
    logLevel: 'silent',
  })
  const { fetch, feed } = authority
  await serve({ fetch, feed, port: authorityPort, host: '127.0.0.1' })
  const created = await authority.clients.create({ name: 'guards' }, 'bench')
  if (!created.ok) throw new Error(created.text)
  const { client, secret: clientSecret } = created.value
  const options: GuardOptions = {
    issuer: url,
    feed: { clientId: client.id, clientSecret: clientSecret.secret },
    // The key of this process, which signs the tokens.
    keys: createKeySet([verifyingKeyOf(key)]),
  }
  const made = createGuard(options)
  await made.ready()
  return { guard: made, issuer: url }
}

function listen(variant: Variant): Promise<number> {
  switch (framework) {
    case 'express':
      return listenOn(createServer(expressApp(variant)))
    case 'fastify':
      return listenFastify(variant)
    default:
      return listenHono(variant)
  }
}

function listenHono(variant: Variant): Promise<number> {
  const answer = getRequestListener(honoApp(variant).fetch)
  return listenOn(createServer((incoming, outgoing) => void answer(incoming, outgoing)))
}

function listenOn(server: Server): Promise<number> {
  // Longer than the turns of the other variants, so that connections stay open until their next turn.
  server.keepAliveTimeout = 60_000
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

function expressApp(variant: Variant): express.Express {
  const app = express()
  const me: express.RequestHandler = (_request, response) => void response.json({ ok: true })
  const before: Record<Exclude<Variant, 'bare'>, () => express.RequestHandler> = {
    guard: () => expressAuth(guard),
    noop: () => (_request, _response, next) => next(),
    map: () => (request, _response, next) => {
      if (known.has(request.headers.authorization ?? '')) next()
      else fail()
    },
    own: () =>
      expressjwt({
        secret: isHmac ? secret : publicPem,
        algorithms: [isHmac ? 'HS256' : 'ES256'],
      }),
  }
  if (variant === 'bare') app.get('/me', me)
  else app.get('/me', before[variant](), me)
  return app
}

async function listenFastify(variant: Variant): Promise<number> {
  const app = fastify()
  if (variant === 'own') {
    await app.register(fastifyJwt, {
      secret: isHmac
        ? secret
        : {
            private: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
            public: publicPem,
          },
      sign: { algorithm: isHmac ? 'HS256' : 'ES256' },
      verify: { algorithms: [isHmac ? 'HS256' : 'ES256'] },
    })
  }
  const before: Record<Variant, RouteShorthandOptions> = {
    bare: {},
    guard: { onRequest: fastifyAuth(guard) },
    noop: { onRequest: (_request, _reply, done) => done() },
    map: {
      onRequest: (request, _reply, done) => {
        if (known.has(request.headers.authorization ?? '')) done()
        else fail()
      },
    },
    own: { onRequest: (request) => request.jwtVerify() },
  }
  app.get('/me', before[variant], () => ({ ok: true }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

function honoApp(variant: Variant): Hono {
  const app = new Hono()
  const me = (c: Context): Response => c.json({ ok: true })
  const before: Record<Exclude<Variant, 'bare'>, () => MiddlewareHandler> = {
    guard: () => honoAuth(guard),
    noop: () => (_c, next) => next(),
    map: () => (c, next) => (known.has(c.req.header('authorization') ?? '') ? next() : fail()),
    own: () => honoJwt({ secret: isHmac ? secret : publicPem, alg: isHmac ? 'HS256' : 'ES256' }),
  }
  if (variant === 'bare') app.get('/me', me)
  else app.get('/me', before[variant](), me)
  return app
}

function fail(): never {
  throw new Error('the token was not issued by this benchmark')
}
