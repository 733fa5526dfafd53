import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { systemClock } from '../src/base/clock.ts'
import { createSystemRandom } from '../src/base/random.ts'
import { explainToken } from '../src/cli/explain-token.ts'
import type { Finding } from '../src/cli/finding.ts'
import { ringParts } from '../src/cli/ring-parts.ts'
import { KeyRing, killKey } from '../src/keys/ring.ts'
import { openStore } from '../src/store/open.ts'
import type { RevocationStore, Store } from '../src/store/store.ts'
import { ISSUER, openTestAuthority, USERNAME, type TestAuthority } from './support/authority.ts'
import { askWithSecret, basic, newClient, tokenOf, type TestClient } from './support/clients.ts'
import { runCommand } from './support/command-line.ts'
import { ask, FORM_TYPE } from './support/contract.ts'
import { claimsOf, compact, headerOf, openForge } from './support/forge.ts'

let it: TestAuthority
let store: Store
beforeEach(async () => {
  it = await openTestAuthority()
  store = await openStore(it.authority.settings, { exclusive: false, clock: it.clock })
})
afterEach(async () => {
  await store.close()
  await it[Symbol.asyncDispose]()
})

/** The findings of `token inspect`, at the time of the test clock. */
async function inspect(
  token: string,
  revocations: RevocationStore = store.revocations,
): Promise<readonly Finding[]> {
  const { settings } = it.authority
  const ring = await KeyRing.read(
    await ringParts({ settings, store, random: createSystemRandom() }),
  )
  return explainToken(token, {
    settings,
    store: { ...store, revocations },
    ring,
    clock: it.clock,
  })
}

async function refusedBy(token: string): Promise<Record<string, string>> {
  const findings = await inspect(token)
  return Object.fromEntries(
    findings.filter(({ passed }) => !passed).map(({ check, text }) => [check, text]),
  )
}

async function revoke(token: string, { id, secret }: TestClient): Promise<void> {
  const body = new URLSearchParams({ token }).toString()
  const answer = await ask(it, '/oauth2/revoke', {
    type: FORM_TYPE,
    body,
    headers: basic(id, secret),
  })
  expect(answer.status).toBe(200)
}

async function endOthers(access: string): Promise<void> {
  const headers = { authorization: `Bearer ${access}` }
  const request = new Request(`${ISSUER}/auth/sessions/end-others`, { method: 'POST', headers })
  const { ok } = await it.authority.fetch(request, { address: '203.0.113.7' })
  expect(ok).toBe(true)
}

describe('token inspect refuses an access token that guards refuse:', () => {
  test.each<[name: string, code: string, make: () => Promise<string>]>([
    [
      'a token that was revoked alone',
      'token_stale',
      async () => {
        const { access } = await it.login()
        await revoke(access, await newClient(it))
        return access
      },
    ],
    [
      'a token of a service account that was revoked',
      'token_stale',
      async () => {
        const client = await newClient(it)
        const token = tokenOf(await askWithSecret(it, client))
        await revoke(token, client)
        return token
      },
    ],
    [
      'a token from before end-others, whose session lives on',
      'session_ended',
      async () => {
        const { access } = await it.login()
        await endOthers(access)
        return access
      },
    ],
    [
      'a token from before a change of roles',
      'token_stale',
      async () => {
        const { access } = await it.login()
        const changed = await it.authority.accounts.addRole(USERNAME, 'admin', 'test')
        expect(changed).toMatchObject({ ok: true })
        return access
      },
    ],
    [
      'a token from before the entries that are kept',
      'token_stale',
      async () => {
        const { access } = await it.login()
        await revoke((await it.login()).access, await newClient(it))
        it.clock.advanceMs(3_600_000)
        const seconds = Math.floor(it.clock.nowMs() / 1000)
        await it.restart()
        return (await openForge(it.dataDir)).access({
          ...claimsOf(access),
          iat: seconds,
          exp: seconds + 300,
        })
      },
    ],
  ])('%s', async (_, code, make) => {
    const token = await make()
    await expect.poll(() => it.authority.verify(token)).toEqual({ ok: false, code })
    const refused = await refusedBy(token)
    expect(Object.keys(refused)).toEqual(['revocation'])
    expect(refused['revocation']).toContain(code)
  })

  test('a token of a revoked key', async () => {
    const { access } = await it.login()
    const { settings } = it.authority
    const parts = await ringParts({ settings, store, random: createSystemRandom() })
    const kid = String(headerOf(access)['kid'])
    expect(await killKey(parts, kid, 'test')).toBe(true)
    expect((await refusedBy(access))['revocation']).toBe(
      `the key "${kid}" that signed it was revoked`,
    )
  })
})

test('token inspect reads all pages of the log, and accepts a token that no entry revokes', async () => {
  const first = await it.login()
  const client = await newClient(it)
  const others = [await it.login(), await it.login(), await it.login()]
  for (const { access } of others) await revoke(access, client)
  await revoke(first.access, client)
  const pages = {
    ...store.revocations,
    tail: (after: number) => store.revocations.tail(after, 1),
  }
  const find = async (token: string): Promise<Finding | undefined> =>
    (await inspect(token, pages)).find(({ check }) => check === 'revocation')
  expect(await find(first.access)).toMatchObject({ passed: false })
  const second = await it.login()
  expect(await find(second.access)).toMatchObject({ passed: true })
  expect(await refusedBy(second.access)).toEqual({})
  expect(await refusedBy(second.refresh)).toEqual({})
})

describe('token inspect reports a claim of the wrong type', () => {
  const hostile = { toString: 1, valueOf: 1 }
  const values = [hostile, [hostile], null, true, -1, 1.5, '1', '', 1e300]
  const unsigned = (token: string, header: object, claims: object): string =>
    compact({ ...headerOf(token), ...header }, { ...claimsOf(token), ...claims }, () =>
      Buffer.alloc(64),
    )

  test.each(['access', 'refresh', 'service account'])('in a %s token', async (kind) => {
    const pair = await it.login()
    const token =
      kind === 'access'
        ? pair.access
        : kind === 'refresh'
          ? pair.refresh
          : tokenOf(await askWithSecret(it, await newClient(it)))
    for (const value of values) {
      for (const claim of Object.keys(claimsOf(token))) {
        expect(await refusedBy(unsigned(token, {}, { [claim]: value }))).not.toEqual({})
      }
      expect(await refusedBy(unsigned(token, {}, { sub: value, client_id: value }))).not.toEqual({})
      for (const member of ['alg', 'typ', 'kid']) {
        expect(await refusedBy(unsigned(token, { [member]: value }, {}))).not.toEqual({})
      }
    }
  })

  test.each(['rvp', 'jti', 'sub', 'client_id', 'iss'])('%s, as a failed check', async (claim) => {
    const { access } = await it.login()
    const refused = await refusedBy(unsigned(access, {}, { [claim]: hostile }))
    expect(refused['revocation']).toContain('wrong type')
  })

  test.each(['gen', 'jti'])('%s of a refresh token, as a failed check', async (claim) => {
    const { refresh } = await it.login()
    const refused = await refusedBy(unsigned(refresh, {}, { [claim]: hostile }))
    expect(refused['rotation']).toBe(`${claim} is {"toString":1,"valueOf":1}`)
  })
})

test('the command exits with code 1 for a revoked token, and says which services refuse it', async () => {
  await it.restart({ clock: systemClock })
  const { access } = await it.login()
  const run = () =>
    runCommand(['token', 'inspect', access], {
      dataDir: it.dataDir,
      env: { COUNTERSIGN_PUBLIC_URL: ISSUER },
    })
  expect(await run()).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('This token would be accepted.'),
  })
  await revoke(access, await newClient(it))
  const { code, stdout, stderr } = await run()
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  expect(stdout).toMatch(/^REFUSE {2}revocation /m)
  expect(stdout).toContain('This server refuses the token: revocation.')
  expect(stdout).toContain('Guards with the revocation feed refuse it too.')
})
