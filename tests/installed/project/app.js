const express = require('express')
const { authOf, requireAuth } = require('@countersign/guard/express')

exports.createApp = (guard) => {
  const app = express()
  app.get('/me', requireAuth(guard), (request, response) => {
    response.json({ sub: authOf(request).sub, plain: request.auth.sub })
  })
  app.delete(
    '/users/:id',
    requireAuth(guard, { roles: ['admin'], policy: 'strict' }),
    (_, response) => response.sendStatus(204),
  )
  return app
}
