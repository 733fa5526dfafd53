import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createAccessTokenVerifier } from '@countersign/guard'
import { createDpopChecker } from '@countersign/guard/dpop'

import { createAccountManager, type AccountManager } from '../../src/accounts/manage.ts'
import { createNewPasswords, type NewPasswords } from '../../src/accounts/new-passwords.ts'
import type { PasswordHasher } from '../../src/accounts/passwords.ts'
import { createThrottle } from '../../src/accounts/throttle.ts'
import { createSystemRandom } from '../../src/base/random.ts'
import { KeyRing } from '../../src/keys/ring.ts'
import { createSealer } from '../../src/keys/sealing.ts'
import type { FactorPolicy } from '../../src/factors/policy.ts'
import { createCsrf } from '../../src/sessions/csrf.ts'
import type { SessionServices } from '../../src/sessions/services.ts'
import { createRefreshTokenVerifier } from '../../src/sessions/refresh-token.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { ISSUER, TestClock } from './authority.ts'
import { SECRET } from './tokens.ts'

/** A hasher without cost, for tests that are not about hashing. Its "hash" is the password. */
export const plainHasher: PasswordHasher = {
  hash: (password) => Promise.resolve(password),
  verify: (passwordHash, password) => Promise.resolve(passwordHash === password),
  isBusy: () => false,
  imitate: () => undefined,
  isOutdated: () => false,
}

/** Nobody needs a second factor. */
export const NO_POLICY: FactorPolicy = {
  everyone: false,
  roles: [],
  tenants: [],
  graceMs: 0,
  mailed: false,
  rememberMs: undefined,
  freshMs: 600_000,
}

/** Makes hashes with a hasher, and looks up no breached passwords. */
export function newPasswordsWith(hasher: PasswordHasher): NewPasswords {
  return createNewPasswords({ hasher, publicUrl: ISSUER, breached: undefined })
}

export interface TestSessions extends AsyncDisposable {
  readonly services: SessionServices
  readonly hasher: PasswordHasher
  readonly accounts: AccountManager
  readonly store: Store
  readonly clock: TestClock
  readonly dataDir: string
}

/** The session operations on a real SQLite file, without HTTP, so that parts can be replaced. */
export async function openTestSessions(
  options: { readonly hasher?: PasswordHasher } = {},
): Promise<TestSessions> {
  const clock = new TestClock()
  const random = createSystemRandom()
  const hasher = options.hasher ?? plainHasher
  const newPasswords = newPasswordsWith(hasher)
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const store = await openStore({ dataDir }, { exclusive: true, clock })
  const sealer = createSealer([SECRET], random)
  const ring = await KeyRing.open({
    store: store.keys,
    sealer,
    clock,
    random,
    schedule: {
      alg: 'ES256',
      rotationMs: undefined,
      leadMs: 0,
      livesMs: { access: 360_000, refresh: 30 * 86_400_000 },
    },
  })
  const services: SessionServices = {
    store,
    ring,
    hasher,
    newPasswords,
    throttle: createThrottle(undefined, [random.bytes(32)], random),
    csrf: createCsrf([random.bytes(32)], random),
    clock,
    random,
    access: { issuer: ISSUER, audience: ISSUER, lifetimeSec: 300 },
    rotation: {
      rotates: true,
      idleMs: 14 * 86_400_000,
      absoluteMs: 30 * 86_400_000,
      graceMs: 10_000,
      startedAt: clock.nowMs(),
      healing: 'accept',
    },
    factors: NO_POLICY,
    verifyRefresh: createRefreshTokenVerifier(ring, ISSUER, clock),
    dpop: createDpopChecker({ clock: () => clock.nowMs() }),
    verifyAccess: createAccessTokenVerifier({
      keys: ring.accessKeys,
      issuer: ISSUER,
      audience: ISSUER,
      toleranceSec: 0,
      clock: () => clock.nowMs(),
    }),
  }
  return {
    services,
    hasher,
    accounts: createAccountManager({ store, newPasswords, clock, random }),
    store,
    clock,
    dataDir,
    async [Symbol.asyncDispose]() {
      await store.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
