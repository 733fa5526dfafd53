import { chainValue } from '@countersign/guard/revocations'
import { expect } from 'vitest'

import { refreshJti } from '../../src/store/refresh-jti.ts'
import { NO_GRACE, type RefreshAttempt, type RefreshRules } from '../../src/store/refresh.ts'
import type {
  Account,
  Client,
  ClientSecret,
  Session,
  StoredKey,
  Tenant,
} from '../../src/store/rows.ts'
import type { AuditContext } from '../../src/store/audit-context.ts'
import type { Store } from '../../src/store/store.ts'
import { HERE, NOW } from '../support/session-rows.ts'

export const DAY_MS = 86_400_000

/** The author of every change in these tests. */
export const BY: AuditContext = { at: NOW, actor: 'cli:test', address: '203.0.113.9' }

export function account(id = 'acct_1', more: Partial<Account> = {}): Account {
  return {
    id,
    username: id,
    userId: undefined,
    passwordHash: `hash of ${id}`,
    roles: [],
    defaultTenantId: undefined,
    email: undefined,
    locale: undefined,
    credentialsVersion: 0,
    disabledAt: undefined,
    hardPosition: 0,
    createdAt: NOW,
    ...more,
  }
}

export function session(id = 'session-1', more: Partial<Session> = {}): Session {
  return {
    id,
    accountId: 'acct_1',
    clientId: 'first-party',
    tenantId: undefined,
    seed: new Uint8Array(16).fill(7),
    generation: 0,
    createdAt: NOW,
    rotatedAt: NOW,
    grace: NO_GRACE,
    expiresAt: NOW + 14 * DAY_MS,
    endsAt: NOW + 30 * DAY_MS,
    endedAt: undefined,
    signedInPosition: 0,
    survivedPosition: 0,
    refreshKid: 'refresh-key',
    authenticatedAt: NOW,
    amr: ['pwd'],
    acr: undefined,
    secondFactor: 'none',
    address: HERE.address,
    userAgent: HERE.userAgent,
    ...more,
  }
}

export function tenant(id = 'ten_1', name = id.replaceAll('_', '-')): Tenant {
  return { id, name, disabledAt: undefined, hardPosition: 0, createdAt: NOW }
}

export function client(id = 'svc_1', more: Partial<Client> = {}): Client {
  return {
    id,
    name: id.replaceAll('_', '-'),
    roles: [],
    tenantId: undefined,
    disabledAt: undefined,
    hardPosition: 0,
    createdAt: NOW,
    ...more,
  }
}

export function secret(id: string, createdAt = NOW): ClientSecret {
  return { id, hash: new Uint8Array(32).fill(id.length), createdAt, lastUsedAt: undefined }
}

export function key(kid: string, more: Partial<StoredKey> = {}): StoredKey {
  return {
    kid,
    alg: 'HS256',
    use: 'refresh',
    state: 'active',
    sealed: new Uint8Array([1, 2, 3]),
    createdAt: NOW,
    changedAt: NOW,
    verifiesUntil: undefined,
    imported: false,
    certificates: [],
    ...more,
  }
}

/** Writes an account with one session, signed in at the head of the log. */
export async function signedIn(
  store: Store,
  id = 'session-1',
  accountId = 'acct_1',
): Promise<void> {
  await store.accounts.create(account(accountId), accountId, BY)
  await addSession(store, id, { accountId })
}

/** Writes one more session, signed in at the head of the log. */
export async function addSession(
  store: Store,
  id: string,
  more: Partial<Session> = {},
): Promise<void> {
  const { position } = await store.revocations.head()
  const created = await store.sessions.create(
    session(id, { signedInPosition: position, ...more }),
    BY,
  )
  expect(created).toBe('created')
}

/** The rotation rule. */
export function rules(more: Partial<RefreshRules> = {}): RefreshRules {
  return {
    idleMs: 14 * DAY_MS,
    graceMs: 10_000,
    refreshKid: 'refresh-key',
    rotates: true,
    startedAt: NOW - DAY_MS,
    healing: 'accept',
    ...more,
  }
}

/** An attempt with the token of a session from {@link session}. */
export function attempt(
  generation: number,
  sessionId = 'session-1',
  more: Partial<RefreshAttempt> = {},
): RefreshAttempt {
  const jti = refreshJti(session(sessionId), generation)
  return { sessionId, generation, jti, ...HERE, ...more }
}

/**
 * The entries of the log as `kind subject strength`, after checking that they form one chain from its start.
 */
export async function logOf(store: Store, after = 0): Promise<readonly string[]> {
  const { chain, entries } = await store.revocations.tail(after, -1)
  let value = chain
  for (const entry of entries) {
    expect(value).toBeDefined()
    value = chainValue(value!, entry)
    expect(Buffer.from(entry.chain)).toEqual(value)
  }
  const head = await store.revocations.head()
  expect(Buffer.from(head.chain)).toEqual(Buffer.from(value!))
  expect(head.position).toBe(entries.at(-1)?.position ?? after)
  return entries.map(({ kind, subject, strength }) => `${kind} ${subject} ${strength}`)
}

/** The events of the audit, the oldest first. */
export async function eventsOf(store: Store): Promise<readonly string[]> {
  const lines = await store.audit.list({ limit: 1_000 })
  return lines.map(({ event }) => event).toReversed()
}

/** How often each result came. */
export function tally(results: readonly unknown[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const result of results) counts[String(result)] = (counts[String(result)] ?? 0) + 1
  return counts
}
