import { expect, test } from 'vitest'

import { createAuthenticator, type CreationOptions } from './support/authenticator.ts'
import { ISSUER, openTestAuthority } from './support/authority.ts'
import { TestBrowser, membersOf } from './support/browser.ts'
import { callWith } from './support/factors.ts'

interface Begun<Options> {
  readonly challenge: string
  readonly options: Options
}

test('the answer to the removal of a passkey names those that are left, and the removed one is unknown', async () => {
  await using it = await openTestAuthority()
  const devices = [0, 1].map(() => createAuthenticator({ rpId: 'localhost', origin: ISSUER }))
  let { access } = await it.login()
  const ids: string[] = []
  let userId = ''
  for (const device of devices) {
    const begun = await callWith(it, access, 'POST', '/auth/factors/passkeys/challenge')
    const { challenge, options } = JSON.parse(begun.text) as Begun<CreationOptions>
    userId = options.user.id
    const response = device.register(options)
    ids.push(response.id)
    const body = { challenge, response }
    const added = await callWith(it, access, 'POST', '/auth/factors/passkeys', body)
    expect(added.status).toBe(200)
    ;({ access } = JSON.parse(added.text) as { access: string })
  }

  const listed = await callWith(it, access, 'GET', '/auth/factors')
  const { factors } = JSON.parse(listed.text) as {
    factors: { id: string; credential_id: string }[]
  }
  const first = factors.find(({ credential_id: id }) => id === ids[0])?.id
  const removed = await callWith(it, access, 'DELETE', `/auth/factors/${first}`)
  expect(removed.status).toBe(200)
  expect(JSON.parse(removed.text)).toEqual({
    access: expect.stringMatching(/^eyJ/),
    passkeys: { rp_id: 'localhost', user_id: userId, credential_ids: [ids[1]] },
  })

  const browser = new TestBrowser(it)
  await browser.get('/auth/csrf')
  const present = async (device: (typeof devices)[number], path: string): Promise<unknown> => {
    const asked = await it.post('/auth/passkey/challenge', {})
    const { challenge, options } = (await asked.json()) as Begun<{ challenge: string }>
    const body = { challenge, response: device.authenticate(options) }
    if (path.startsWith('/api/')) {
      const answer = await it.post(path, body)
      return { status: answer.status, ...((await answer.json()) as object) }
    }
    const answer = await browser.visit(path, { body })
    return { status: answer.status, ...membersOf(answer) }
  }
  for (const path of ['/auth/login/passkey', '/api/token/passkey/']) {
    expect(await present(devices[0]!, path)).toMatchObject({ status: 401, code: 'passkey_unknown' })
    expect(await present(devices[1]!, path)).toMatchObject({ status: 200 })
  }
})
