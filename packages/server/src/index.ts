import './node-version.ts'

export { createAuthority, type Authority, type AuthorityConfig } from './authority.ts'
export type { ClientManager, ShownSecret } from './accounts/clients.ts'
export type {
  AccountManager,
  AccountSummary,
  Managed,
  ManagedCode,
  NotManaged,
} from './accounts/manage.ts'
export type { RoleManager, TenantManager } from './accounts/tenants.ts'
export type { Clock, EpochMs } from './base/clock.ts'
export type { ClaimsHook } from './sessions/access-token.ts'
export type { AccountClaims, Membership, RoleDefinition, Tenant } from './store/rows.ts'
export type { ClientSummary } from './store/store.ts'
export { SetupError, StoreFault } from './base/faults.ts'
export type { Random } from './base/random.ts'
export { refusals, type RefusalCode } from './base/refusals.ts'
export type { RequestContext } from './http/app.ts'
export { serve, type RunningServer, type ServeOptions } from './http/serve.ts'
export type { Settings, SettingsInput } from './settings.ts'
