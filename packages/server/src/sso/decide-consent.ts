import type { Allowed } from './consent.ts'
import { isAssuredRedirect } from './redirect-uris.ts'
import type { Registration } from './registration.ts'

/** A request for consent, and what the person allowed before. */
export interface ConsentFacts {
  readonly registration: Pick<Registration, 'firstParty' | 'kind'>
  /** Undefined in the device flow, which has no redirect. */
  readonly redirectUri: string | undefined
  /** Whether the request asks for the page: `prompt=consent`. */
  readonly isAsked: boolean
  readonly wanted: Allowed
  /** The scopes and resources that the person has allowed. Undefined: none. */
  readonly remembered: Allowed | undefined
}

/**
 * Whether a person must be asked. Pure. Every application on a machine can pretend to be a public one that is called at
 * a loopback address or by a scheme, so consent to such an application is never remembered (RFC 8252 §8.6).
 */
export function needsConsent(facts: ConsentFacts): boolean {
  const { registration, redirectUri, isAsked, wanted, remembered } = facts
  if (isAsked || !isAssured(registration, redirectUri)) return true
  if (registration.firstParty) return false
  return remembered === undefined || !covers(remembered, wanted)
}

/** Whether what was allowed has everything that is wanted. Pure. */
export function covers(allowed: Allowed, wanted: Allowed): boolean {
  return (
    wanted.scopes.every((each) => allowed.scopes.includes(each)) &&
    wanted.resources.every((each) => allowed.resources.includes(each))
  )
}

function isAssured({ kind }: Pick<Registration, 'kind'>, redirectUri: string | undefined): boolean {
  return kind === 'confidential' || (redirectUri !== undefined && isAssuredRedirect(redirectUri))
}
