import { createHash } from 'node:crypto'

import { refuseUnlessFresh } from '../sessions/freshness.ts'
import {
  auditContextOf,
  renew,
  type CurrentSession,
  type Renewed,
} from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { Identity, IdentityKey } from '../store/identities.ts'
import { noticeOf } from '../with-factors/notices.ts'
import type { UpstreamServices } from './services.ts'

/** An id for one identity in paths and forms. It can be computed by anybody who knows issuer and subject. */
export function idOfIdentity({ issuer, subject }: IdentityKey): string {
  // JSON keeps the parts apart.
  const hash = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('base64url')
  return `idn_${hash.slice(0, 22)}`
}

/** Lists the identities of an account, the oldest first. */
export async function listIdentities(
  { sessions: { store } }: Pick<UpstreamServices, 'sessions'>,
  accountId: string,
): Promise<readonly (Identity & { readonly id: string })[]> {
  const found = await store.identities.listOf(accountId)
  return found.map((each) => Object.assign({ id: idOfIdentity(each) }, each))
}

/** An identity to link, which has just been proved. */
export interface LinkedIdentity {
  readonly key: IdentityKey
  readonly provider: string
  readonly label: string
}

/**
 * Links an identity for a session. The caller has checked that the session was fresh when the log-in at the provider
 * began, and that this is the browser or the application in which it began.
 */
export async function linkIdentity(
  services: UpstreamServices,
  by: { readonly accountId: string; readonly sessionId: string },
  { key, provider, label }: LinkedIdentity,
  caller: Caller,
): Promise<{ readonly ok: true } | Refusal> {
  const { sessions } = services
  const { accountId, sessionId } = by
  const context = auditContextOf(sessions, accountId, caller)
  const linked = await sessions.store.identities.link(
    { ...key, provider, label, accountId, linkedAt: context.at, lastUsedAt: undefined },
    { sessionId },
    {
      ...context,
      mails: await noticeOf(services, accountId, 'identity_added', caller, context.at),
    },
  )
  if (linked === 'taken') return refuse('identity_taken')
  return linked === 'linked' ? { ok: true } : refuse('session_ended')
}

/** Removes an identity from the account of a session, which must be fresh. The last way to log in stays. */
export async function unlinkOwnIdentity(
  services: UpstreamServices,
  current: CurrentSession,
  id: string,
  caller: Caller,
): Promise<Renewed | Refusal> {
  const { sessions, hasMailLogin } = services
  const stale = await refuseUnlessFresh(sessions, current, { hasProvenPassword: false })
  if (stale !== undefined) return stale
  const { id: accountId } = current.state.account
  const identity = (await listIdentities(services, accountId)).find((each) => each.id === id)
  if (identity === undefined) return refuse('not_found')
  const context = auditContextOf(sessions, accountId, caller)
  const change = await sessions.store.identities.unlink(
    accountId,
    identity,
    { hasMailLogin },
    {
      ...context,
      mails: await noticeOf(services, accountId, 'identity_removed', caller, context.at),
    },
  )
  if (change === 'last') return refuse('identity_last')
  return change === 'unknown' ? refuse('not_found') : renew(sessions, current)
}
