import { createSigner, generateSigningKey } from '@countersign/jwt'
import { createGuard, JwksFault, type Guard } from '@countersign/guard'
import { authOf, requireAuth } from '@countersign/guard/express'
import { requireAuth as fastifyAuth } from '@countersign/guard/fastify'
import { requireAuth as honoAuth } from '@countersign/guard/hono'
import { CountersignModule } from '@countersign/guard/nest'
import { RevocationFeed } from '@countersign/guard/revocations'
import { createFakeAuthority } from '@countersign/guard/testing'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'

const issuer = 'http://localhost:8000'
const guard: Guard<{ plan: string }> = createGuard<{ plan: string }>({ issuer })
express().get('/:id', requireAuth(guard), (request, response) => {
  const id: string = request.params.id
  const plan: string = authOf(request, guard).plan
  response.json({ id, plan })
})
fastify().get('/', { onRequest: fastifyAuth(guard) }, () => '')
new Hono().get('/', honoAuth(guard), (c) => c.text(c.var.auth.plan))
createSigner(generateSigningKey('ES256'), { typ: 'at+jwt' })
createFakeAuthority().tokenFor({ roles: ['admin'], tenant: 'acme' })
export const used = [CountersignModule.forRoot({ guard }), RevocationFeed, JwksFault]
