import { withoutTenant } from '../../src/sessions/tenant-claims.ts'
import type { SessionState } from '../../src/store/refresh.ts'
import type { From } from './authority.ts'
import { withDatabase } from './database.ts'

export const NOW = Date.UTC(2026, 10, 23, 12)

/** The default client of requests. */
export const HERE: From = { address: '203.0.113.7', userAgent: 'test-agent' }

/** A session of generation 3 that expires one millisecond after `NOW`. */
export function liveState(): SessionState {
  return {
    session: {
      id: 'session',
      accountId: 'acct_1',
      clientId: 'first-party',
      tenantId: undefined,
      seed: new Uint8Array(16),
      generation: 3,
      createdAt: 0,
      rotatedAt: 0,
      grace: { generation: 2, beganAt: 0, priorGeneration: 2, priorRotatedAt: 0 },
      expiresAt: NOW + 1,
      endsAt: NOW + 1,
      endedAt: undefined,
      signedInPosition: 0,
      survivedPosition: 0,
      refreshKid: 'kid',
      authenticatedAt: 0,
      amr: ['pwd'],
      acr: undefined,
      secondFactor: 'none',
      ...HERE,
    },
    account: withoutTenant({ id: 'acct_1', userId: 'acct_1', roles: [] }),
    username: 'one',
    accountDisabled: false,
    accountHardPosition: 0,
    tenantDisabled: false,
    tenantHardPosition: 0,
    refreshKeyKilled: false,
    position: 0,
  }
}

/** Writes an account and a session with these values directly, without the rules of the store. */
export function insertState(dataDir: string, { session, ...state }: SessionState): void {
  withDatabase(dataDir, (db) => {
    db.exec('PRAGMA synchronous = OFF')
    // A test may want a session in a tenant that is gone.
    db.exec('PRAGMA foreign_keys = OFF')
    db.prepare(
      `INSERT INTO accounts (id, username, username_key, roles, disabled_at, hard_position, created_at)
       VALUES (?, ?, ?, '["reader"]', ?, ?, 0)`,
    ).run(
      session.accountId,
      session.accountId,
      session.accountId,
      state.accountDisabled ? 1 : null,
      state.accountHardPosition,
    )
    db.prepare(
      `INSERT INTO sessions (id, account_id, client_id, seed, generation, created_at, rotated_at,
                             expires_at, ends_at, ended_at, signed_in_position, refresh_kid,
                             address, user_agent, survived_position, authenticated_at, amr, acr, tenant_id,
                             grace_generation, grace_began_at, prior_generation, prior_rotated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      session.id,
      session.accountId,
      session.clientId,
      session.seed,
      session.generation,
      session.createdAt,
      session.rotatedAt,
      session.expiresAt,
      session.endsAt,
      session.endedAt ?? null,
      session.signedInPosition,
      session.refreshKid,
      session.address,
      session.userAgent,
      session.survivedPosition,
      session.authenticatedAt,
      JSON.stringify(session.amr),
      session.acr ?? null,
      session.tenantId ?? null,
      session.grace.generation,
      session.grace.beganAt,
      session.grace.priorGeneration,
      session.grace.priorRotatedAt,
    )
  })
}
