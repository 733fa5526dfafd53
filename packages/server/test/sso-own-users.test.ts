import { expect, test } from 'vitest'

import { CALLBACK } from './support/applications.ts'
import { PASSWORD, USERNAME } from './support/authority.ts'
import {
  beginLogin,
  claimsIn,
  exchange,
  logInTo,
  readTokens,
  refreshWith,
  SsoBrowser,
} from './support/sso.ts'
import { ALICE, openTestApplication } from './support/users.ts'

test('the users of an application log in to other applications', async () => {
  await using it = await openTestApplication({ sso: true })
  const created = await it.authority.applications.create(
    { name: 'shop', title: 'Shop', kind: 'confidential', redirectUris: [CALLBACK] },
    'test',
  )
  if (!created.ok) throw new Error(created.text)
  const { application, secret } = created.value
  const app = { id: application.id, secret: secret?.secret, redirectUri: CALLBACK }
  const login = beginLogin(app, { scope: 'openid profile email offline_access' })
  const url = await logInTo(new SsoBrowser(it), login, USERNAME, PASSWORD)
  const { access, refresh, id } = readTokens(await exchange(it, app, login, url))
  expect(claimsIn(id)).toMatchObject({ sub: ALICE, preferred_username: USERNAME })
  expect(claimsIn(id)).not.toHaveProperty('email')
  expect(claimsIn(access)).toMatchObject({ sub: ALICE, roles: ['reader'] })

  const alice = it.users.users.get(ALICE)
  alice?.roles.push('editor')
  const next = readTokens(await refreshWith(it, app, refresh))
  expect(claimsIn(next.access)['roles']).toEqual(['editor', 'reader'])
  if (alice !== undefined) alice.isActive = false
  expect((await refreshWith(it, app, next.refresh)).body).toMatchObject({ error: 'invalid_grant' })
})
