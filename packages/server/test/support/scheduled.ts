import { setImmediate } from 'node:timers/promises'

import fc from 'fast-check'

import type { PasswordHasher } from '../../src/accounts/passwords.ts'
import type { Store } from '../../src/store/store.ts'

/**
 * A scheduler for code that also waits for the event loop. After each step it lets the loop turn once.
 * Otherwise code that waits for the loop would always run last.
 */
export function schedulerArbitrary(): fc.Arbitrary<fc.Scheduler> {
  return fc.scheduler({
    act: async (step) => {
      await step()
      await setImmediate()
    },
  })
}

/** Delays the work by some steps, so that each side is first in some races. */
export async function later<T>(
  scheduler: fc.Scheduler,
  steps: number,
  work: () => Promise<T>,
): Promise<T> {
  for (let n = 0; n < steps; n += 1) await scheduler.schedule(Promise.resolve())
  return work()
}

/** More steps than any operation takes, so the other side has ended before the work begins. */
const AFTER_THE_OTHER = 600

/**
 * Parameters for races of two sides, each with its delay. The first two runs let each side win, so that a test may
 * expect both outcomes; random delays alone would sometimes show only one of them.
 */
export function eachSideFirst(
  numRuns: number,
): Pick<fc.Parameters<[fc.Scheduler, number, number]>, 'numRuns' | 'examples'> {
  const [one, other] = fc.sample(schedulerArbitrary(), 2)
  return {
    numRuns,
    examples: [
      [one!, 0, AFTER_THE_OTHER],
      [other!, AFTER_THE_OTHER, 0],
    ],
  }
}

/** A store for which the scheduler decides when each call begins and when its answer arrives. */
export function scheduledStore(store: Store, scheduler: fc.Scheduler): Store {
  return {
    accounts: scheduled(store.accounts, scheduler),
    shadows: scheduled(store.shadows, scheduler),
    sessions: scheduled(store.sessions, scheduler),
    tenants: scheduled(store.tenants, scheduler),
    roles: scheduled(store.roles, scheduler),
    throttles: scheduled(store.throttles, scheduler),
    revocations: scheduled(store.revocations, scheduler),
    audit: scheduled(store.audit, scheduler),
    keys: scheduled(store.keys, scheduler),
    clients: scheduled(store.clients, scheduler),
    factors: scheduled(store.factors, scheduler),
    mailCodes: scheduled(store.mailCodes, scheduler),
    invitations: scheduled(store.invitations, scheduler),
    mail: scheduled(store.mail, scheduler),
    nodes: scheduled(store.nodes, scheduler),
    sso: {
      applications: scheduled(store.sso.applications, scheduler),
      records: scheduled(store.sso.records, scheduler),
      refreshes: scheduled(store.sso.refreshes, scheduler),
      grants: scheduled(store.sso.grants, scheduler),
      logouts: scheduled(store.sso.logouts, scheduler),
    },
    identities: scheduled(store.identities, scheduler),
    clock: store.clock,
    consume: (kind, id, expiresAt) => store.consume(kind, id, expiresAt),
    purgeConsumed: (limit) => store.purgeConsumed(limit),
    watch: (changed) => store.watch(changed),
    check: () => store.check(),
    close: () => store.close(),
  }
}

/** The same for the password hasher, so that a login can be in progress. */
export function scheduledHasher(hasher: PasswordHasher, scheduler: fc.Scheduler): PasswordHasher {
  return {
    hash: async (password) => {
      await scheduler.schedule(Promise.resolve(), 'hash')
      return hasher.hash(password)
    },
    verify: async (passwordHash, password, key) => {
      await scheduler.schedule(Promise.resolve(), 'verify')
      return hasher.verify(passwordHash, password, key)
    },
    isBusy: () => hasher.isBusy(),
    imitate: (hashes) => hasher.imitate(hashes),
    isOutdated: (passwordHash) => hasher.isOutdated(passwordHash),
  }
}

function scheduled<T extends object>(methods: T, scheduler: fc.Scheduler): T {
  return new Proxy(methods, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return async (...values: unknown[]): Promise<unknown> => {
        await scheduler.schedule(Promise.resolve(), `${String(name)} begins`)
        const result: unknown = await Reflect.apply(method, target, values)
        await scheduler.schedule(Promise.resolve(), `${String(name)} answers`)
        return result
      }
    },
  })
}
