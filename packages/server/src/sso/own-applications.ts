import type { EpochMs } from '../base/clock.ts'
import {
  auditContextOf,
  renew,
  type CurrentSession,
  type Renewed,
} from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from '../sessions/services.ts'
import type { SessionState } from '../store/refresh.ts'
import { readAllowed, type Allowed } from './consent.ts'

/** An application that a person has allowed to use their account. */
export interface OwnApplication extends Allowed {
  readonly id: string
  /** The name that people see. */
  readonly title: string
  readonly isDisabled: boolean
  readonly givenAt: EpochMs
  readonly changedAt: EpochMs
}

/** Lists the applications that the account has allowed, the newest first. First-party applications need no consent. */
export async function listOwnApplications(
  { store }: SessionServices,
  { account }: SessionState,
): Promise<readonly OwnApplication[]> {
  const consents = await store.sso.grants.consentsOf(account.id)
  return consents.map(({ applicationId, title, isDisabled, allowed, givenAt, changedAt }) => {
    const { scopes, resources } = readAllowed(allowed)
    return { id: applicationId, title, isDisabled, scopes, resources, givenAt, changedAt }
  })
}

/**
 * Removes the access of an application: its consent, grants and refresh tokens. All access tokens of the account become
 * stale, so the answer has a new one for this session. Returns `not_found` if the person has not allowed it.
 */
export async function revokeOwnApplication(
  services: SessionServices,
  current: CurrentSession,
  applicationId: string,
  caller: Caller,
): Promise<Renewed | Refusal> {
  const { account } = current.state
  const context = auditContextOf(services, account.id, caller)
  const change = await services.store.sso.grants.revokeConsent(account.id, applicationId, context)
  return change === 'changed' ? renew(services, current) : refuse('not_found')
}
