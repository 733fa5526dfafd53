import { viewOfRequest } from '@countersign/guard'
import type { DpopRequest, DpopResult } from '@countersign/guard/dpop'

import { StoreFault } from '../base/faults.ts'
import type { SessionServices } from '../sessions/services.ts'

/**
 * Checks the proof of a request that its sender holds a key (RFC 9449), and uses it up unless it may be repeated. `bound`
 * is the access token that the proof must be for, and the key that this token is bound to. Throws a `StoreFault` if the database cannot
 * tell whether the proof was used before.
 */
export async function proveKey(
  { dpop, access }: Pick<SessionServices, 'dpop' | 'access'>,
  request: Request,
  bound: Pick<DpopRequest, 'token' | 'jkt' | 'mayRepeat'> = {},
): Promise<DpopResult> {
  // The host of the request may be another one, behind a proxy.
  const url = access.issuer.replace(/\/$/, '') + new URL(request.url).pathname
  const proofs = viewOfRequest(request).values('dpop')
  const result = await dpop.check({ proofs, method: request.method, url, ...bound })
  if (!result.ok && result.code === 'dpop_unavailable') {
    throw new StoreFault('A DPoP proof could not be used up.')
  }
  return result
}
