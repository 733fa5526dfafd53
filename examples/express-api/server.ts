import { createGuard, metricsText } from '@countersign/guard'
import { authOf, optionalAuth, optionalAuthOf, requireAuth } from '@countersign/guard/express'
import express from 'express'

const {
  ISSUER = 'http://localhost:8000',
  AUDIENCE,
  GUARD_CLIENT_ID: clientId,
  GUARD_CLIENT_SECRET: clientSecret,
  PORT = '3000',
} = process.env

const guard = createGuard({
  issuer: ISSUER,
  ...(AUDIENCE === undefined ? {} : { audience: AUDIENCE }),
  // The API also works without the feed. It then accepts revoked tokens until they expire.
  ...(clientId && clientSecret ? { feed: { clientId, clientSecret } } : {}),
  onRefused: ({ code, reason }) => console.warn(JSON.stringify({ event: 'refused', code, reason })),
  onKeysError: ({ code }) => console.error(JSON.stringify({ event: 'keys_error', code })),
  onFeedError: ({ code, message }) =>
    console.error(JSON.stringify({ event: 'feed_error', code, message })),
})

const app = express()
app.disable('x-powered-by')

app.get('/', optionalAuth(guard), (request, response) => {
  response.json({ hello: optionalAuthOf(request)?.sub ?? 'stranger' })
})

app.get('/me', requireAuth(guard), (request, response) => {
  const { sub, roles, sid } = authOf(request)
  response.json({ sub, roles, sid })
})

// Strict: an administrator whose session ended four seconds ago must not delete any account.
app.delete(
  '/users/:id',
  requireAuth(guard, { roles: ['admin'], ...(guard.hasFeed ? { policy: 'strict' } : {}) }),
  (_request, response) => {
    response.sendStatus(204)
  },
)

// For a load balancer: it sends requests only when the guard can decide about tokens.
app.get('/readyz', (_request, response) => {
  response.sendStatus(guard.isFresh() ? 204 : 503)
})

app.get('/metrics', (_request, response) => {
  response.type('text/plain').send(metricsText(guard))
})

app.listen(Number(PORT), () => {
  console.log(`http://localhost:${PORT} accepts access tokens of ${ISSUER}`)
})
