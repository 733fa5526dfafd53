import type { Identity } from '../../src/store/identities.ts'
import { NO_GRACE } from '../../src/store/refresh.ts'
import type {
  Application,
  SsoConsent,
  SsoLogin,
  SsoRecord,
  SsoRefreshChain,
  SsoRotationRules,
} from '../../src/store/sso.ts'
import { NOW } from '../support/session-rows.ts'
import { DAY_MS } from './samples.ts'

/** An id as it is stored: 32 bytes, different for each text of one length. */
export function hashOf(text: string): Uint8Array {
  const bytes = new Uint8Array(32)
  new TextEncoder().encodeInto(text, bytes)
  return bytes
}

export function application(id = 'app_1', more: Partial<Application> = {}): Application {
  return {
    id,
    name: id.replaceAll('_', '-'),
    title: `Title of ${id}`,
    registration: '{"redirect_uris":[]}',
    disabledAt: undefined,
    createdAt: NOW,
    ...more,
  }
}

type NewRecord = Omit<SsoRecord, 'usedAt'>

export function record(id: string, more: Partial<NewRecord> = {}): NewRecord {
  return {
    kind: 'AuthorizationCode',
    idHash: hashOf(id),
    sessionId: 'session-1',
    grantId: 'grant-1',
    applicationId: 'app_1',
    otherHash: undefined,
    payload: `{"of":"${id}"}`,
    expiresAt: NOW + 60_000,
    ...more,
  }
}

/** A record as it was read, with plain bytes: the engines return different classes. */
export function plainRecord(read: SsoRecord | undefined): SsoRecord | undefined {
  return (
    read && {
      ...read,
      idHash: Uint8Array.from(read.idHash),
      otherHash: read.otherHash && Uint8Array.from(read.otherHash),
    }
  )
}

export function chain(id = 'chain-1', more: Partial<SsoRefreshChain> = {}): SsoRefreshChain {
  return {
    id,
    sessionId: 'session-1',
    grantId: 'grant-1',
    applicationId: 'app_1',
    seed: new Uint8Array(32).fill(9),
    generation: 0,
    createdAt: NOW,
    rotatedAt: NOW,
    grace: NO_GRACE,
    expiresAt: NOW + 14 * DAY_MS,
    endsAt: NOW + 30 * DAY_MS,
    payload: '{"scope":"openid"}',
    ...more,
  }
}

/** A chain as it was read, with plain bytes. */
export function plainChain(read: SsoRefreshChain): SsoRefreshChain {
  return { ...read, seed: Uint8Array.from(read.seed) }
}

export function rotation(more: Partial<SsoRotationRules> = {}): SsoRotationRules {
  return { idleMs: 14 * DAY_MS, graceMs: 10_000, startedAt: NOW - DAY_MS, ...more }
}

export function consent(
  accountId = 'acct_1',
  applicationId = 'app_1',
  more: Partial<SsoConsent> = {},
): SsoConsent {
  return {
    accountId,
    applicationId,
    allowed: '{"scopes":["openid"]}',
    givenAt: NOW,
    changedAt: NOW,
    ...more,
  }
}

export function login(sessionId = 'session-1', more: Partial<SsoLogin> = {}): SsoLogin {
  return {
    sessionId,
    applicationId: 'app_1',
    accountId: 'acct_1',
    sid: `sid of ${sessionId}`,
    createdAt: NOW,
    expiresAt: NOW + 30 * DAY_MS,
    ...more,
  }
}

export function identity(subject = 'subject-1', more: Partial<Identity> = {}): Identity {
  return {
    issuer: 'https://accounts.example',
    subject,
    provider: 'example',
    accountId: 'acct_1',
    label: 'alice@example.com',
    linkedAt: NOW,
    lastUsedAt: undefined,
    ...more,
  }
}
