import { createGuard } from '@countersign/guard'
import { authOf, optionalAuth, requireAuth } from '@countersign/guard/express'
import express from 'express'

const { ISSUER = 'http://localhost:8000', AUDIENCE, PORT = '3000' } = process.env

const guard = createGuard({
  issuer: ISSUER,
  ...(AUDIENCE === undefined ? {} : { audience: AUDIENCE }),
  onRefused: ({ code, reason }) => console.warn(JSON.stringify({ event: 'refused', code, reason })),
  onKeysError: ({ code }) => console.error(JSON.stringify({ event: 'keys_error', code })),
})

const app = express()
app.disable('x-powered-by')

app.get('/', optionalAuth(guard), (request, response) => {
  response.json({ hello: request.auth?.sub ?? 'stranger' })
})

app.get('/me', requireAuth(guard), (request, response) => {
  const { sub, roles, sid } = authOf(request)
  response.json({ sub, roles, sid })
})

app.get('/admin', requireAuth(guard), (request, response) => {
  if (!authOf(request).roles.includes('admin')) {
    const problem = { type: 'about:blank', title: 'Forbidden', status: 403, code: 'role_missing' }
    response.status(403).type('application/problem+json').send(JSON.stringify(problem))
    return
  }
  response.json({ message: 'You hold the role "admin".' })
})

app.listen(Number(PORT), () => {
  console.log(`http://localhost:${PORT} accepts access tokens of ${ISSUER}`)
})
