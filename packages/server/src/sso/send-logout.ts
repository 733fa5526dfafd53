import type { Clock } from '../base/clock.ts'
import { describeOutboundFault, type Outbound, type OutboundReason } from '../base/outbound.ts'
import type { Random } from '../base/random.ts'
import type { AccessSigner } from '../keys/foreign-signer.ts'
import type { ApplicationStore, SsoLogout } from '../store/sso.ts'
import { logoutClaims } from './logout-token.ts'
import { readRegistration } from './registration.ts'

/** The end of one attempt to tell an application that a session has ended. */
export type LogoutAttempt =
  | { readonly kind: 'delivered' }
  /** The application is gone, or wants no logout tokens. */
  | { readonly kind: 'unwanted' }
  | {
      readonly kind: 'failed'
      /** A stable code: of the connection, or `status_500`. */
      readonly reason: OutboundReason | `status_${number}`
      readonly error?: string
    }

/** Tells an application that a session has ended. Rejects only if the store or the signer fails. */
export type SendLogout = (logout: SsoLogout, signal: AbortSignal) => Promise<LogoutAttempt>

/** The dependencies of an attempt. */
export interface SendLogoutOptions {
  readonly applications: Pick<ApplicationStore, 'view'>
  /** Signs with the current key. */
  readonly signer: () => AccessSigner
  readonly issuer: string
  readonly outbound: Outbound
  readonly clock: Clock
  readonly random: Random
}

/**
 * Creates the function that posts a logout token (OpenID Connect Back-Channel Logout 1.0 §2.5). The URI is read for each
 * attempt, so a corrected registration counts at once. Every status but 200 and 204 is a failure (§2.8).
 */
export function createSendLogout(options: SendLogoutOptions): SendLogout {
  const { applications, signer, issuer, outbound, clock, random } = options
  return async (logout, signal) => {
    const view = await applications.view(logout.applicationId)
    const uri = view && readRegistration(view.application.registration).backchannelLogoutUri
    if (uri === undefined) return { kind: 'unwanted' }
    const now = clock.nowMs()
    const token = await signer().sign(logoutClaims(logout, { issuer, random, now }))
    try {
      const { status } = await outbound(uri, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ logout_token: token }).toString(),
        signal,
      })
      return status === 200 || status === 204
        ? { kind: 'delivered' }
        : { kind: 'failed', reason: `status_${status}` }
    } catch (error) {
      return { kind: 'failed', ...describeOutboundFault(error) }
    }
  }
}
