import { limits } from '../base/limits.ts'
import { hashSecret } from '../sessions/pending.ts'
import type { Caller } from '../sessions/services.ts'
import type { FactorServices } from './services.ts'

/**
 * Remembers the browser in which a second factor was just given. Returns the secret for its cookie, or undefined if the
 * settings remember no devices. A new password, address or factor voids it.
 */
export async function trustDevice(
  { sessions: { store, random, factors: policy } }: FactorServices,
  accountId: string,
  { address, userAgent }: Caller,
): Promise<string | undefined> {
  if (policy.rememberMs === undefined) return undefined
  const { version } = await store.factors.view(accountId)
  const secret = random.bytes(32).toString('base64url')
  const createdAt = await store.nowMs()
  await store.factors.trust({
    hash: hashSecret(secret),
    accountId,
    version,
    createdAt,
    expiresAt: createdAt + policy.rememberMs,
    userAgent: userAgent.slice(0, limits.userAgentCharsMax),
    address,
  })
  return secret
}
