import { availableParallelism } from 'node:os'

import { createAccessTokenVerifier } from '@countersign/guard'
import { createDpopChecker } from '@countersign/guard/dpop'

import type { NewPasswords } from '../accounts/new-passwords.ts'
import { createPasswordHasher, type PasswordHasher } from '../accounts/passwords.ts'
import type { CheckedSource } from '../accounts/source.ts'
import { createThrottle } from '../accounts/throttle.ts'
import type { Clock } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'
import { perRingState, type KeyRing } from '../keys/ring.ts'
import type { Sealer } from '../keys/sealing.ts'
import type { ClaimsHook } from '../sessions/access-token.ts'
import { createCsrf } from '../sessions/csrf.ts'
import { createRefreshTokenVerifier } from '../sessions/refresh-token.ts'
import type { LogQuestions, Notices, SessionServices } from '../sessions/services.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'

/**
 * Creates the password hasher. It imitates hashes with the current parameters until it gets a sample of
 * stored hashes.
 */
export function createHasher(
  { argon2 }: Settings,
  { sealer, random }: { readonly sealer: Sealer; readonly random: Random },
): PasswordHasher {
  return createPasswordHasher({
    parameters: argon2,
    concurrency: availableParallelism(),
    waitMsMax: limits.passwordWaitMsMax,
    elapsed: () => performance.now(),
    random,
    decoySecret: sealer.derive('decoys/v1', 32),
  })
}

/** Dependencies of the session operations. */
export interface ServiceOptions {
  readonly store: Store
  readonly source: CheckedSource | undefined
  readonly ring: KeyRing
  readonly hasher: PasswordHasher
  readonly newPasswords: NewPasswords
  readonly sealer: Sealer
  readonly clock: Clock
  readonly random: Random
  readonly claims: ClaimsHook | undefined
  readonly notices: Notices | undefined
  readonly log: LogQuestions
}

/** Builds the services that the session operations use. */
export async function createSessionServices(
  settings: Settings,
  options: ServiceOptions,
): Promise<SessionServices> {
  const { store, source, ring, hasher, newPasswords, sealer, clock, random } = options
  const { claims, notices, log } = options
  const { publicUrl: issuer, audience } = settings
  const verifyAccess = perRingState(ring, ({ publishedKeys }) =>
    createAccessTokenVerifier({
      keys: publishedKeys,
      issuer,
      audience,
      // The token was issued by the same clock, so no difference must be tolerated.
      toleranceSec: 0,
      clock: () => clock.nowMs(),
    }),
  )
  return {
    store,
    source,
    ring,
    hasher,
    newPasswords,
    clock,
    random,
    notices,
    ...log,
    throttle: createThrottle(settings.throttle, sealer.deriveEach('throttle/v1', 32), random),
    csrf: createCsrf(sealer.deriveEach('csrf/v1', 32), random),
    access: { issuer, audience, lifetimeSec: settings.accessLifetimeSec, claims },
    rotation: {
      rotates: settings.rotateRefresh,
      idleMs: settings.refreshLifetimeSec * 1000,
      absoluteMs: settings.sessionLifetimeSec * 1000,
      graceMs: settings.rotationGraceMs,
      startedAt: store.clock.nowMs(),
      healing: settings.healing,
    },
    factors: settings.factors,
    sessionsPerAccountMax: settings.sessionsPerAccountMax,
    verifyRefresh: createRefreshTokenVerifier(ring, issuer, clock),
    dpop: createDpopChecker({
      clock: () => clock.nowMs(),
      replays: { use: (id, expiresAt) => store.consume('dpop', id, expiresAt) },
      // A device whose clock is wrong must be able to log in, and must not lose its session.
      nonces: {
        secret: sealer.deriveEach('dpop-nonces/v1', 32).map((key) => key.toString('base64url')),
        required: false,
      },
    }),
    verifyAccess: {
      verify(token) {
        const result = verifyAccess().verify(token)
        if (!result.ok || !ring.pending.includes(result.header.kid ?? '')) return result
        // Nobody should have this token yet: a thief has made it, or the database has lost the rotation.
        log.notePendingKey(result.claims.rvp)
        return { ok: false, code: 'key_unknown' }
      },
    },
  }
}
