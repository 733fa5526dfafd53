import { expect, test } from 'vitest'

import { createThrottle } from '../src/accounts/throttle.ts'
import { createTenantManager } from '../src/accounts/tenants.ts'
import { createRefresher } from '../src/sessions/refresh.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import type { Store } from '../src/store/store.ts'
import { PASSWORD, USERNAME } from './support/authority.ts'
import { openTestSessions } from './support/sessions.ts'
import { HERE } from './support/session-rows.ts'

/** Wraps a store and records each call. */
function countedStore(store: Store, calls: string[]): Store {
  const counted = <T extends object>(group: string, methods: T): T =>
    new Proxy(methods, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return (...values: unknown[]): unknown => {
          calls.push(`${group}.${String(name)}`)
          return Reflect.apply(method, target, values)
        }
      },
    })
  return {
    ...store,
    accounts: counted('accounts', store.accounts),
    sessions: counted('sessions', store.sessions),
    tenants: counted('tenants', store.tenants),
    roles: counted('roles', store.roles),
    throttles: counted('throttles', store.throttles),
    audit: counted('audit', store.audit),
  }
}

test('a login with roles and a tenant calls the store four times, a refresh once', async () => {
  await using it = await openTestSessions()
  await it.accounts.create({ username: USERNAME, password: PASSWORD, roles: ['reader'] }, 'test')
  const tenants = createTenantManager(it.services)
  await tenants.create('acme', 'test')
  await tenants.setMember({ username: USERNAME, tenant: 'acme', roles: ['editor'] }, 'test')

  const calls: string[] = []
  const rate = { triesMax: 10, periodMs: 60_000 }
  const rates = {
    account: rate,
    source: rate,
    address: rate,
    device: rate,
    login: rate,
    recipient: rate,
    sender: rate,
  }
  const parts = {
    ...it.services,
    store: countedStore(it.store, calls),
    throttle: createThrottle(rates, [it.services.random.bytes(32)], it.services.random),
  }
  const granted = await signIn(
    parts,
    { username: USERNAME, password: PASSWORD, tenant: 'acme' },
    HERE,
  )
  expect(calls).toEqual([
    'accounts.viewForSignIn',
    'throttles.take',
    'sessions.create',
    'throttles.giveBack',
  ])
  if (!granted.ok) throw new Error(granted.code)
  const roles = { roles: ['reader'], tenantRoles: ['editor'] }
  expect(granted.account).toMatchObject(roles)

  calls.length = 0
  const refreshed = await createRefresher(parts)(granted.refresh ?? '', HERE)
  expect(calls).toEqual(['sessions.refresh'])
  expect(refreshed).toMatchObject({ ok: true, account: roles })
})
