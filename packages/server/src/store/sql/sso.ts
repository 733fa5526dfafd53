import type { SsoStore } from '../sso.ts'
import type { Database, GroupCommit } from './database.ts'
import { createApplicationStore } from './sso-applications.ts'
import { createSsoGrantStore } from './sso-grants.ts'
import { createSsoLogoutStore } from './sso-logouts.ts'
import { createSsoRecordStore } from './sso-records.ts'
import { createSsoRefreshStore } from './sso-refreshes.ts'

/** Everything that single sign-on stores, in SQL. Steps of token requests share transactions by `together`. */
export function createSsoStore(db: Database, together: GroupCommit): SsoStore {
  return {
    applications: createApplicationStore(db, together),
    records: createSsoRecordStore(db, together),
    refreshes: createSsoRefreshStore(db, together),
    grants: createSsoGrantStore(db),
    logouts: createSsoLogoutStore(db),
  }
}
