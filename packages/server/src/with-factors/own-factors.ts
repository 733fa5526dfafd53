import { newRecoveryCodes } from '../factors/recovery-codes.ts'
import { requiresFactor, type PolicySubject } from '../factors/policy.ts'
import { isEnrolled } from '../factors/decide.ts'
import { refuseIfStale } from '../sessions/freshness.ts'
import {
  auditContextOf,
  renew,
  type CurrentSession,
  type Renewed,
} from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { FactorOwner, FactorSummary } from '../store/factors.ts'
import { whyOver } from '../store/standing.ts'
import type { EpochMs } from '../base/clock.ts'
import type { Bearer } from './challenges.ts'
import { nameOf, proveEnrolment, type PresentedEnrolment } from './enrol.ts'
import { noticeOf } from './notices.ts'
import { readAcceptedPasskeys, type AcceptedPasskeys } from './passkeys.ts'
import { raiseSession } from './step-up.ts'
import type { FactorServices } from './services.ts'

/** The factors of the account of a session, and what the policy asks of it. */
export interface OwnFactors {
  readonly factors: readonly FactorSummary[]
  readonly recoveryCodesLeft: number
  /** Whether the policy asks this account for a second factor. */
  readonly isRequired: boolean
  /** By when it must enrol one. Undefined if it has one, or need not. */
  readonly dueAt: EpochMs | undefined
}

/** Lists the factors of the account of a session. */
export async function listOwnFactors(
  { sessions: { store, factors: policy } }: Pick<FactorServices, 'sessions'>,
  { state: { account } }: Pick<CurrentSession, 'state'>,
): Promise<OwnFactors> {
  const [factors, view] = await Promise.all([
    store.factors.list(account.id),
    store.factors.view(account.id),
  ])
  const isRequired = requiresFactor(policy, account)
  return {
    factors,
    recoveryCodesLeft: view.recoveryCodes,
    isRequired,
    dueAt: isRequired && !isEnrolled(view) ? view.dueAt : undefined,
  }
}

/** Returns by when an account must enrol a factor. Undefined if it has one, or need not. */
export async function factorDueAt(
  { store, factors: policy }: FactorServices['sessions'],
  account: PolicySubject & { readonly id: string },
): Promise<EpochMs | undefined> {
  if (!requiresFactor(policy, account)) return undefined
  const view = await store.factors.view(account.id)
  return isEnrolled(view) ? undefined : view.dueAt
}

/** Whom the challenges of a session belong to. */
export function bearerOf({ state }: CurrentSession): Bearer {
  return { subject: state.session.id, accountId: state.account.id }
}

/** A factor was added. The session has two factors from now on. */
export interface FactorAdded extends Renewed {
  /** Shown once. Empty if the account had recovery codes already. */
  readonly recoveryCodes: readonly string[]
}

/** Adds a factor to the account of a session, which must be fresh. */
export async function addOwnFactor(
  services: FactorServices,
  current: CurrentSession,
  presented: PresentedEnrolment,
  caller: Caller,
): Promise<FactorAdded | Refusal> {
  const fresh = await checkFresh(services, current)
  if (!fresh.ok) return fresh
  const proven = await proveEnrolment(services, bearerOf(current), presented, caller)
  if (!proven.ok) return proven
  const { version } = fresh.by
  const raised = await raiseSession(services, current, { ...proven, version }, caller)
  if (raised.ok) return { ...raised, recoveryCodes: proven.recoveryCodes ?? [] }
  if (raised.code === 'factor_wrong') return refuse('passkey_taken')
  return raised.code === 'challenge_void' ? outdated(services, current) : raised
}

/**
 * Checks that a session is fresh enough for a change of factors. The check and the version come from one read, and the
 * store compares the version with the change. Otherwise a stolen session could replace a factor that its owner adds at that moment.
 */
async function checkFresh(
  { sessions }: FactorServices,
  current: CurrentSession,
): Promise<{ readonly ok: true; readonly by: FactorOwner } | Refusal> {
  const { session, account } = current.state
  const factors = await sessions.store.factors.view(account.id)
  const stale = await refuseIfStale(sessions, current, { factors, hasProvenPassword: false })
  if (stale !== undefined) return stale
  return {
    ok: true,
    by: { accountId: account.id, sessionId: session.id, version: factors.version },
  }
}

/** Returns why a change was not made: the session has ended, or the account changed after the check. */
async function outdated(services: FactorServices, current: CurrentSession): Promise<Refusal> {
  const { store } = services.sessions
  const state = await store.sessions.state(current.state.session.id)
  if (state === undefined || whyOver(state) !== undefined) return refuse('session_ended')
  const fresh = await checkFresh(services, { ...current, state })
  return fresh.ok ? refuse('challenge_void') : fresh
}

/** Gives one of the account's factors another name. */
export async function renameOwnFactor(
  { sessions }: FactorServices,
  { state }: CurrentSession,
  { id, name }: { readonly id: string; readonly name: string },
  caller: Caller,
): Promise<{ readonly ok: true } | Refusal> {
  const { id: accountId } = state.account
  const context = auditContextOf(sessions, accountId, caller)
  const change = await sessions.store.factors.rename(accountId, id, nameOf(name, id), context)
  return change === 'unknown' ? refuse('not_found') : { ok: true }
}

/** A factor was removed. */
export interface FactorRemoved extends Renewed {
  /** The passkeys that are left, for password managers. Undefined unless a passkey was removed. */
  readonly passkeys: AcceptedPasskeys | undefined
}

/** Removes one of the account's factors. The session must be fresh; all other sessions end. */
export async function removeOwnFactor(
  services: FactorServices,
  current: CurrentSession,
  factorId: string,
  caller: Caller,
): Promise<FactorRemoved | Refusal> {
  const { sessions } = services
  const fresh = await checkFresh(services, current)
  if (!fresh.ok) return fresh
  const { account } = current.state
  const factor = (await sessions.store.factors.list(account.id)).find(({ id }) => id === factorId)
  if (factor === undefined) return refuse('not_found')
  const context = auditContextOf(sessions, account.id, caller)
  const mails = await noticeOf(services, account.id, `${factor.kind}_removed`, caller, context.at)
  const change = await sessions.store.factors.remove(fresh.by, factorId, { ...context, mails })
  if (change === 'outdated') return outdated(services, current)
  if (change === 'unknown') return refuse('not_found')
  const passkeys =
    factor.kind === 'passkey' ? await readAcceptedPasskeys(services, account.id) : undefined
  return { ...(await renew(sessions, current)), passkeys }
}

/** New recovery codes in place of the old ones. They are shown once. The session must be fresh. */
export async function replaceOwnRecoveryCodes(
  services: FactorServices,
  current: CurrentSession,
  caller: Caller,
): Promise<FactorAdded | Refusal> {
  const { sessions, recovery } = services
  const fresh = await checkFresh(services, current)
  if (!fresh.ok) return fresh
  const { id } = current.state.account
  const recoveryCodes = newRecoveryCodes(sessions.random)
  const context = auditContextOf(sessions, id, caller)
  const change = await sessions.store.factors.replaceRecoveryCodes(
    fresh.by,
    recoveryCodes.map((code) => recovery.hash(id, code)),
    {
      ...context,
      mails: await noticeOf(services, id, 'recovery_codes_replaced', caller, context.at),
    },
  )
  if (change === 'outdated') return outdated(services, current)
  if (change === 'unknown') return refuse('factor_unavailable')
  return { ...(await renew(sessions, current)), recoveryCodes }
}
