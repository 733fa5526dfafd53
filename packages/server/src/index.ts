import './node-version.ts'

export {
  createAuthority,
  type Authority,
  type AuthorityConfig,
  type AuthorityCore,
  type AuthoritySessions,
  type AuthorityVerifyResult,
  type SourcedAuthority,
  type SourcedAuthorityConfig,
} from './authority.ts'
export type { ClientManager, ShownSecret } from './accounts/clients.ts'
export type {
  ApplicationChanges,
  ApplicationManager,
  ApplicationSummary,
  NewApplication,
} from './sso/applications.ts'
export type {
  ApplicationGrant,
  AuthMethod,
  Registration,
  RegistrationInput,
} from './sso/registration.ts'
export type { AuditFilter, AuditLine, AuditPage, AuditReader } from './accounts/audit.ts'
export type {
  AccountData,
  AccountSummary,
  FactorData,
  RememberedDevice,
} from './accounts/export.ts'
export type {
  AccountManager,
  AccountPage,
  AccountPageRequest,
  NewAccount,
} from './accounts/manage.ts'
export type { AccountMails } from './by-mail/manage.ts'
export type { Managed, ManagedCode, NotManaged } from './accounts/managed.ts'
export type { TenantInvitation } from './accounts/invitations.ts'
export type { AccountSource, SourceAccount } from './accounts/source.ts'
export type { UserManager } from './accounts/users.ts'
export type { RoleManager, TenantManager } from './accounts/tenants.ts'
export type { Clock, EpochMs } from './base/clock.ts'
export type { ForeignSigner } from './keys/foreign-signer.ts'
export type { ClaimsHook } from './sessions/access-token.ts'
export type {
  CreatedSession,
  CreateSessionOptions,
  SessionNotCreated,
  SessionNotCreatedCode,
  SignInAttempt,
} from './sessions/create-session.ts'
export type { SessionFilter, SessionInfo, SessionManager, SessionPage } from './sessions/manage.ts'
export type { FactorKind, FactorReset, FactorSummary } from './store/factors.ts'
export type { AccountClaims, Membership, RoleDefinition, Tenant } from './store/rows.ts'
export type { ClientSummary } from './store/store.ts'
export { SetupError, SignerFault, SourceFault, StoreFault } from './base/faults.ts'
export type { Random } from './base/random.ts'
export { refusals, type RefusalCode } from './base/refusals.ts'
export type { RequestContext } from './http/services.ts'
export { toNodeHandler } from './http/node-handler.ts'
export { serve, type RunningServer, type ServeOptions } from './http/serve.ts'
export type { FactorManager, FactorResetOptions } from './with-factors/manage.ts'
export type { IdentityManager, ListedIdentity } from './upstream/manage.ts'
export type { SettingsInput } from './settings-table.ts'
export type { Settings } from './settings.ts'
