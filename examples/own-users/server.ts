import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { createGuard } from '@countersign/guard'
import { authOf, requireAuth } from '@countersign/guard/express'
import { createAuthority } from 'countersign'
import express from 'express'

import { Users } from './users.ts'

const { PORT = '3000', DATA_DIR = './data' } = process.env
const url = `http://localhost:${PORT}`
const PASSWORD = 'only for this example'

mkdirSync(DATA_DIR, { recursive: true })
const users = new Users(join(DATA_DIR, 'application.db'))
if (users.list().length === 0) {
  await users.add('alice@example.com', PASSWORD, ['reader'])
  await users.add('root@example.com', PASSWORD, ['admin'])
}

// Countersign keeps sessions, tokens and revocations. This application keeps users and their roles.
const authority = await createAuthority({ accounts: users, publicUrl: url, dataDir: DATA_DIR })
const guard = createGuard({ issuer: url, feed: authority.feed })

const app = express()
app.disable('x-powered-by')

app.get('/notes', requireAuth(guard), (request, response) => {
  const { sub, roles } = authOf(request)
  response.json({ owner: sub, roles, notes: ['Buy milk.'] })
})

const requireAdmin = requireAuth(guard, { roles: ['admin'], policy: 'strict' })

app.get('/admin/users', requireAdmin, (_request, response) => {
  response.json(users.list())
})

app.post(
  '/admin/users/:id/disable',
  requireAdmin,
  // Express 5 passes a rejection on to its error handler.
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers
  async (request, response) => {
    const { id } = request.params
    if (!users.disable(id)) {
      response.status(404).json({ error: 'There is no such user.' })
      return
    }
    // Call this after your own change is written. From then on the user's sessions get no new tokens, and
    // guards refuse the existing tokens within a second.
    await authority.users.endSessions(id, authOf(request).sub)
    response.status(204).end()
  },
)

const server = app.listen(Number(PORT), 'localhost', () => {
  console.log(`An application with its own users at ${url}. Try in another terminal:

  # log in; root@example.com is an admin, with the same password
  curl -s ${url}/api/token/ -d username=alice@example.com --data-urlencode 'password=${PASSWORD}'

  # with the access token in place of ACCESS
  curl -s ${url}/notes -H 'Authorization: Bearer ACCESS'

  # with the access token of root: list the users, and disable alice by her id
  curl -s ${url}/admin/users -H 'Authorization: Bearer ACCESS'
  curl -si -X POST ${url}/admin/users/ID/disable -H 'Authorization: Bearer ACCESS'

  # alice's access token is refused now, and so is her refresh token
  curl -si ${url}/notes -H 'Authorization: Bearer ACCESS'
  curl -s ${url}/api/token/refresh/ -d refresh=REFRESH
`)
})

// The authority answers its own paths, and guards in other services connect to its revocation feed.
authority.attach(server)
process.once('SIGTERM', stop)
process.once('SIGINT', stop)

function stop(): void {
  guard.close()
  // Open connections of guards would keep the server open.
  authority.feed.close()
  server.close(() => {
    users.close()
    void authority.close()
  })
}
