import { StatementSync } from 'node:sqlite'

import { afterEach, expect, test } from 'vitest'

import type { Store } from '../../src/store/store.ts'
import { openTestSessions } from '../support/sessions.ts'
import {
  account,
  addSession,
  attempt,
  BY,
  client,
  key,
  rules,
  secret,
  session,
  signedIn,
  tenant,
} from './samples.ts'

const METHODS = ['run', 'get', 'all'] as const
const restore: (() => void)[] = []
afterEach(() => {
  for (const each of restore.splice(0)) each()
})

/** The write statements of each transaction, in their order. */
function recordTransactions(): readonly (readonly string[])[] {
  const transactions: string[][] = []
  for (const method of METHODS) {
    const original: unknown = Reflect.get(StatementSync.prototype, method)
    if (typeof original !== 'function') throw new TypeError(`no ${method}`)
    restore.push(() => Reflect.set(StatementSync.prototype, method, original))
    Reflect.set(
      StatementSync.prototype,
      method,
      function (this: StatementSync, ...values: unknown[]): unknown {
        const sql = this.sourceSQL.trim()
        if (sql.startsWith('BEGIN')) transactions.push([])
        else if (/^(INSERT|UPDATE|DELETE)/.test(sql)) transactions.at(-1)?.push(sql)
        return Reflect.apply(original, this, values)
      },
    )
  }
  return transactions
}

const isEntry = (sql: string): boolean => sql.startsWith('INSERT INTO revocations')
const movesHead = (sql: string): boolean =>
  sql.startsWith('UPDATE revocation_head SET position = ?, chain = ?')

async function change(store: Store): Promise<void> {
  const { accounts, tenants, clients, roles, keys, shadows, revocations } = store
  await tenants.create(tenant(), BY)
  await tenants.setMember('acct_1', 'ten_1', ['a'], BY)
  await tenants.setMember('acct_1', 'ten_1', ['b'], BY)
  await tenants.removeMember('acct_1', 'ten_1', BY)
  await tenants.disable('ten_1', BY)
  await accounts.addRole('acct_1', 'a', BY)
  await accounts.removeRole('acct_1', 'a', BY)
  await accounts.endSessions('acct_1', 'session-1', BY)
  const hashes = { from: 'hash of acct_1', to: 'new' }
  await accounts.changePassword('acct_1', hashes, 'session-1', BY)
  await accounts.setPasswordHash('acct_1', 'newer', BY)
  await accounts.disable('acct_1', BY)
  await accounts.delete('acct_1', BY)
  await roles.define({ name: 'a', permissions: ['b'] }, BY)
  await clients.create(client(), secret('sec_1'), BY)
  await clients.setRoles('svc_1', ['a'], BY)
  await clients.removeSecret('svc_1', 'sec_1', BY)
  await clients.disable('svc_1', BY)
  await shadows.noteChange('theirs', BY)
  await shadows.endSessions('theirs', BY)
  await keys.change([], { put: [key('a', { use: 'access' })], remove: [] }, BY)
  const killed = key('a', { use: 'access', state: 'revoked', changedAt: BY.at + 1 })
  const put = [killed, key('b', { use: 'access' })]
  await keys.change(await keys.list(), { put, remove: [], killed: 'a' }, BY)
  await revocations.revokeToken('jti', 'acct_1', BY)
  const by = { issuer: 'https://auth.example', at: BY.at, actor: 'system' }
  await revocations.startOver(0, await revocations.head(), by)
  await revocations.startOverAs({ ...by, issuer: 'https://other.example' })
  const { position } = await revocations.head()
  const unknown = { position: position + 5, chain: new Uint8Array(32) }
  const evidence = { start: unknown, entries: [], tip: unknown, signedAt: BY.at + 1 }
  await revocations.repair(evidence, by)
}

/** Logouts and refreshes that share a transaction, and a sign-in that ends older sessions. */
async function batches(store: Store): Promise<void> {
  await store.accounts.create(account('acct_2'), 'acct_2', BY)
  for (const id of ['a', 'b', 'c']) await addSession(store, id, { accountId: 'acct_2' })
  await Promise.all([
    store.sessions.refresh(attempt(0, 'b'), rules()),
    store.sessions.end('a', { event: 'logout' }, BY),
    store.sessions.refresh(attempt(1, 'b'), rules()),
    store.sessions.end('b', { event: 'logout' }, BY),
    store.consume('code', 'x', BY.at + 1_000),
    store.sessions.refresh(attempt(0, 'c'), rules()),
  ])
  await addSession(store, 'd', { accountId: 'acct_2' })
  const { position } = await store.revocations.head()
  const newest = session('e', { accountId: 'acct_2', signedInPosition: position })
  await store.sessions.create(newest, BY, { liveMax: 1 })
}

test('SQLite writes the entries of the log last in their transaction, and then its head', async () => {
  await using it = await openTestSessions()
  await signedIn(it.store)
  const transactions = recordTransactions()
  await change(it.store)
  await batches(it.store)
  const logging = transactions.filter((statements) => statements.some(isEntry))
  // The 21 methods above, a batch and a sign-in.
  expect(logging).toHaveLength(23)
  for (const statements of logging) {
    const first = statements.findIndex(isEntry)
    expect(statements.slice(first, -1).every(isEntry)).toBe(true)
    expect(movesHead(statements.at(-1) ?? '')).toBe(true)
  }
  expect(transactions.flat().filter(isEntry).length).toBeGreaterThan(logging.length)
  expect(transactions.flat().filter(movesHead)).toHaveLength(logging.length)
})
