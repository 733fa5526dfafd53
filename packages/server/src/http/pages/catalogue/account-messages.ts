import type { AuditEvent } from '../../../store/rows.ts'

/** The parts of the account page, each on a page of its own. */
export type AccountSection =
  | 'username'
  | 'address'
  | 'password'
  | 'factors'
  | 'identities'
  | 'sessions'
  | 'applications'
  | 'activity'
  | 'tenants'
  | 'delete'

/** The result of a form of the account page. */
export type AccountNotice =
  | 'username'
  | 'password'
  | 'session'
  | 'others'
  | 'application'
  | 'tenant'
  | 'joined'
  | 'declined'
  | 'factor-added'
  | 'factor-renamed'
  | 'factor-removed'
  | 'devices-forgotten'
  | 'identity-added'
  | 'identity-removed'

/** All notices of the account page. */
export const ACCOUNT_NOTICES: readonly AccountNotice[] = [
  'username',
  'password',
  'session',
  'others',
  'application',
  'tenant',
  'joined',
  'declined',
  'factor-added',
  'factor-renamed',
  'factor-removed',
  'devices-forgotten',
  'identity-added',
  'identity-removed',
]

/** The scopes that the server knows (OpenID Connect Core 1.0 §5.4 and §11). */
export type KnownScope = 'openid' | 'profile' | 'email' | 'offline_access'

/** The words of one part of the account page. */
export interface SectionMessages {
  readonly title: string
  /** The purpose of the section, for the overview. */
  readonly about: string
  readonly lead: string
  readonly button: string
}

/** The words of the account page. */
export interface AccountMessages {
  readonly title: string
  readonly signedInAs: (username: string) => string
  readonly signOut: string
  readonly sections: Readonly<Record<AccountSection, SectionMessages>>
  readonly notices: Readonly<Record<AccountNotice, string>>
  readonly wrongPassword: string
  /** The refusals of a new username. Elsewhere they are about an address. */
  readonly usernameRefusals: Readonly<
    Record<
      'username_invalid' | 'username_confusable' | 'username_too_long' | 'username_taken',
      string
    >
  >
  readonly address: {
    readonly none: string
    readonly current: (address: string) => string
    readonly unverified: string
    readonly verify: string
    readonly changeTitle: string
    readonly changeLead: string
  }
  readonly sessions: {
    readonly current: string
    readonly begun: string
    readonly used: string
    readonly from: (address: string) => string
    /** Names the device for people who hear the button without its row. */
    readonly end: (device: string) => string
    readonly endOthers: string
    readonly endAll: string
  }
  readonly applications: {
    readonly none: string
    readonly since: string
    readonly disabled: string
    /** The scopes of an application, in words. */
    readonly scopes: Readonly<Record<KnownScope, string>>
    readonly otherScope: (scope: string) => string
    readonly resource: (resource: string) => string
    /** Names the application for people who hear the button without its row. */
    readonly revoke: (title: string) => string
  }
  readonly activity: {
    readonly none: string
    readonly older: string
    readonly from: (address: string) => string
    readonly byOthers: string
    readonly refused: string
    readonly events: Readonly<Partial<Record<AuditEvent, string>>>
    readonly other: string
  }
  readonly tenants: {
    readonly none: string
    readonly current: string
    readonly enter: (tenant: string) => string
    readonly leaveCurrent: string
    readonly chooseTitle: string
    readonly chooseLead: string
    readonly skip: string
    readonly invitationsTitle: string
    readonly invitation: (tenant: string, inviter: string | undefined) => string
    readonly accept: (tenant: string) => string
    readonly decline: (tenant: string) => string
  }
  readonly exportTitle: string
  readonly exportLead: string
  readonly exportButton: string
}
