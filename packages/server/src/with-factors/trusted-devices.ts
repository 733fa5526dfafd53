import { limits } from '../base/limits.ts'
import { hashSecret } from '../sessions/pending.ts'
import type { Caller } from '../sessions/services.ts'
import type { FactorServices } from './services.ts'

/**
 * Remembers the browser in which a second factor was just given. Returns the secret for its cookie, or undefined if the
 * settings remember no devices, or the session has ended meanwhile. A new password, address or factor voids it.
 */
export async function trustDevice(
  { sessions: { store, random, factors: policy } }: FactorServices,
  { id: sessionId, accountId }: { readonly id: string; readonly accountId: string },
  { address, userAgent }: Caller,
): Promise<string | undefined> {
  if (policy.rememberMs === undefined) return undefined
  const secret = random.bytes(32).toString('base64url')
  const createdAt = store.clock.nowMs()
  const device = {
    hash: hashSecret(secret),
    accountId,
    createdAt,
    expiresAt: createdAt + policy.rememberMs,
    userAgent: userAgent.slice(0, limits.userAgentCharsMax),
    address,
  }
  return (await store.factors.trust(device, sessionId)) ? secret : undefined
}
