import type { Store } from '../store.ts'
import { createAccountStore } from './accounts.ts'
import { createAuditStore } from './audit.ts'
import { createClientStore } from './clients.ts'
import { consume, purgeConsumed } from './consume.ts'
import type { Database, GroupCommit } from './database.ts'
import { createFactorStore } from './factors.ts'
import { createIdentityStore } from './identities.ts'
import { createInvitationStore } from './invitations.ts'
import { createKeyStore } from './keys.ts'
import { createRevocationStore } from './log-store.ts'
import { createMailCodeStore } from './mail-codes.ts'
import { createMailStore } from './mail.ts'
import { createNodeStore } from './nodes.ts'
import { createRoleStore } from './roles.ts'
import { createSessionStore, type HotSessionMethods } from './sessions.ts'
import { createShadowStore } from './shadows.ts'
import { createSsoStore } from './sso.ts'
import { createTenantStore } from './tenants.ts'
import { createThrottleStore } from './throttles.ts'

/** The members of a store that both engines share. The others differ by engine. */
export type SqlStore = Omit<Store, 'clock' | 'watch' | 'check' | 'close'>

/** Puts together what both engines share. Frequent steps share transactions by `together`. */
export function createSqlStore(
  db: Database,
  together: GroupCommit,
  hot: HotSessionMethods,
): SqlStore {
  return {
    accounts: createAccountStore(db),
    shadows: createShadowStore(db),
    sessions: createSessionStore(db, hot),
    tenants: createTenantStore(db),
    roles: createRoleStore(db),
    throttles: createThrottleStore(db, together),
    revocations: createRevocationStore(db),
    audit: createAuditStore(db),
    keys: createKeyStore(db),
    clients: createClientStore(db),
    factors: createFactorStore(db),
    mailCodes: createMailCodeStore(db),
    invitations: createInvitationStore(db),
    mail: createMailStore(db),
    nodes: createNodeStore(db),
    sso: createSsoStore(db, together),
    identities: createIdentityStore(db),
    consume: (kind, id, expiresAt) =>
      together.run((tx) => consume(tx, { kind, id, expiresAt }, tx.nowMs()), 'none'),
    purgeConsumed: (limit) => purgeConsumed(db, limit),
  }
}
