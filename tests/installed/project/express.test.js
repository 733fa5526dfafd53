const { JwksFault } = require('@countersign/guard')
const { createFakeAuthority } = require('@countersign/guard/testing')
const { createApp } = require('./app')

const authority = createFakeAuthority()
let server, url
beforeAll((done) => {
  server = createApp(authority.createGuard()).listen(0, '127.0.0.1', done)
  server.on('listening', () => (url = `http://127.0.0.1:${server.address().port}`))
})
afterAll((done) => {
  authority.close()
  server.close(done)
})

const send = (method, path, token) =>
  fetch(url + path, { method, headers: token ? { authorization: `Bearer ${token}` } : {} })

test('only administrators delete users', async () => {
  expect((await send('DELETE', '/users/1')).status).toBe(401)
  const [reader, admin] = ['reader', 'admin'].map((role) => authority.tokenFor({ roles: [role] }))
  expect((await send('DELETE', '/users/1', reader)).status).toBe(403)
  expect((await send('DELETE', '/users/1', admin)).status).toBe(204)
})

test('a logout takes effect', async () => {
  const token = authority.tokenFor({ sub: 'acct_bob' })
  const before = await send('GET', '/me', token)
  expect(await before.json()).toEqual({ sub: 'acct_bob', plain: 'acct_bob' })
  await authority.endSession(token)
  expect(await (await send('GET', '/me', token)).json()).toMatchObject({ code: 'session_ended' })
})

test('the classes of faults are there for instanceof', () => {
  expect(new JwksFault('jwks_timeout')).toBeInstanceOf(JwksFault)
})
