import { afterAll, beforeAll, expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './support/authority.ts'

let it: TestAuthority
beforeAll(async () => {
  it = await openTestAuthority()
})
afterAll(() => it[Symbol.asyncDispose]())

/** Each way to end what a token needs. Right after it, `verify` must refuse. */
const ENDS: Readonly<
  Record<string, (pair: { access: string; refresh: string; sid: string }) => Promise<unknown>>
> = {
  'POST /api/token/blacklist/': ({ refresh }) => it.post('/api/token/blacklist/', { refresh }),
  'sessions.end': ({ sid }) => it.authority.sessions.end(sid, 'test'),
  'accounts.addRole': () => it.authority.accounts.addRole(USERNAME, `r${Date.now()}`, 'test'),
}

test.each(Object.keys(ENDS))(
  'what this authority revokes, its verify refuses as soon as the call has resolved: %s',
  async (name) => {
    // Many in a row, so that most of them fall into the pause between two batches.
    for (let count = 0; count < 8; count++) {
      const pair = (await (
        await it.post('/api/token/', { username: USERNAME, password: PASSWORD })
      ).json()) as { access: string; refresh: string }
      const verified = it.authority.verify(pair.access)
      const sid = verified.ok ? String(verified.claims.sid) : ''
      await ENDS[name]?.({ ...pair, sid })
      expect(it.authority.verify(pair.access)).toMatchObject({ ok: false })
    }
  },
)
