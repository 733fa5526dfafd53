import { afterAll, beforeAll, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './support/authority.ts'

// The duration of the wait is tested in tests/revocation. Without a guard, and 30 s after a start, there is
// no wait.
let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

test.each([
  ['/api/token/?wait=effective', { username: USERNAME, password: PASSWORD }],
  ['/api/token/?wait=effective&wait=x', { username: USERNAME, password: PASSWORD }],
])(
  'a request that revokes nothing is answered as usual, without a wait: %s',
  async (path, body) => {
    const response = await it.post(path, body)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ access: expect.any(String) })
  },
)

test.each(['?wait=efective', '?wait=', '?wait=effective&wait=x', '?wait=EFFECTIVE'])(
  '%s is refused, and nothing is revoked',
  async (query) => {
    const { refresh } = await it.login()
    const response = await it.post(`/api/token/blacklist/${query}`, { refresh })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'wait_invalid' })
    expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(200)
  },
)

test('a request that revokes nothing does not wait, and its answer has no numbers of guards', async () => {
  const response = await it.authority.fetch(
    new Request('http://localhost:8000/auth/logout?wait=effective', {
      method: 'POST',
      headers: { 'sec-fetch-site': 'same-origin' },
    }),
  )
  expect(response.status).toBe(204)
  expect(await response.text()).toBe('')
})

test('a failed request does not wait', async () => {
  expect((await it.post('/api/token/blacklist/?wait=effective', {})).status).toBe(400)
})
