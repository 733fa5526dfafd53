import { decodeUnverified } from '@countersign/jwt'

import { readBearer } from './request/bearer.ts'
import type { Guard, GuardMetrics, RouteGuard, VerifyResult } from './guard.ts'
import type { GuardRefusalCode, Refused } from './refusals.ts'
import type { RequestView } from './request/request-view.ts'
import { assertGuard } from './route-of.ts'

/**
 * Puts the guards of several issuers together: each token is checked by the guard of the issuer that it
 * names, with that issuer's keys and log, and by no other. A token of none is refused by the first one.
 * A cookie is taken by the guard that has one of its name. Throws a TypeError for two of one issuer, or of one
 * name of the cookie. What was combined already counts as its parts.
 */
export function combineGuards(given: readonly [Guard, ...Guard[]]): Guard {
  if (!Array.isArray(given)) throw new TypeError('combineGuards takes a list of guards.')
  const guards = given.flatMap((guard) => partsOf(assertGuard(guard)))
  const [first = refuseNone()] = guards
  const byIssuer = new Map(guards.map((guard) => [guard.issuer, guard]))
  if (byIssuer.size < guards.length) throw new TypeError('combineGuards: two are of one issuer.')
  const cookieNames = guards.flatMap(({ cookieName }) => cookieName ?? [])
  if (new Set(cookieNames).size < cookieNames.length) {
    throw new TypeError('combineGuards: two take the same cookie. Give one another cookies.name.')
  }

  // Whose refusal it is: realm and metadata of a challenge are that issuer's.
  const refusers = new WeakMap<Refused, Guard>()

  // What a token says of its issuer is nobody's word: it selects who holds it against their own keys.
  function guardOf(token: string): Guard {
    const decoded = decodeUnverified(token)
    const iss = decoded.ok ? decoded.claims['iss'] : undefined
    return (typeof iss === 'string' ? byIssuer.get(iss) : undefined) ?? first
  }

  function guardFor(request: RequestView): Guard {
    const bearer = readBearer(request.values('authorization'))
    if (bearer.ok) return guardOf(bearer.token)
    return guards.find((guard) => guard.hasCookieOf(request)) ?? first
  }

  function combined(routes: ReadonlyMap<Guard, RouteGuard>): RouteGuard {
    const routeOf = (guard: Guard): RouteGuard => routes.get(guard) ?? guard
    return {
      authenticate(request) {
        const guard = guardFor(request)
        const note = (result: VerifyResult): VerifyResult => {
          if (!result.ok) refusers.set(result, guard)
          return result
        }
        const result = routeOf(guard).authenticate(request)
        return 'ok' in result ? note(result) : result.then(note)
      },
      challenge: (refused) => (refusers.get(refused) ?? first).challenge(refused),
    }
  }

  const whole: Guard = {
    ...combined(new Map()),
    issuer: first.issuer,
    audience: [...new Set(guards.flatMap(({ audience }) => audience))],
    hasFeed: guards.every(({ hasFeed }) => hasFeed),
    cookieName: cookieNames[0],
    hasCookieOf: (request) => guards.some((guard) => guard.hasCookieOf(request)),
    verify: (token, options) => guardOf(token).verify(token, options),
    route: (requirements) =>
      combined(new Map(guards.map((guard) => [guard, guard.route(requirements)]))),
    ready: async () => {
      await Promise.all(guards.map((guard) => guard.ready()))
    },
    isFresh: (policy) => guards.every((guard) => guard.isFresh(policy)),
    watch: (changed) => {
      const stops = guards.map((guard) => guard.watch(changed))
      return () => {
        for (const stop of stops) stop()
      }
    },
    metrics: () => addMetrics(guards.map((guard) => guard.metrics())),
    close: () => {
      for (const guard of guards) guard.close()
    },
  }
  parts.set(whole, guards)
  return whole
}

function refuseNone(): never {
  throw new TypeError('combineGuards: there is no guard in the list.')
}

const parts = new WeakMap<object, readonly Guard[]>()

/** What a guard was combined of, or itself. */
export function partsOf<AnyGuard extends object>(guard: AnyGuard): readonly (AnyGuard | Guard)[] {
  return parts.get(guard) ?? [guard]
}

/** Counts of all; of the feed, that of the guard whose copy may be the oldest. */
function addMetrics(all: readonly GuardMetrics[]): GuardMetrics {
  const refused: Partial<Record<GuardRefusalCode, number>> = {}
  for (const each of all) {
    for (const [code, count] of Object.entries(each.refused) as [GuardRefusalCode, number][]) {
      refused[code] = (refused[code] ?? 0) + count
    }
  }
  const [oldest] = all
    .flatMap(({ feed }) => feed ?? [])
    .toSorted((a, b) => b.leaseAgeMs - a.leaseAgeMs)
  return {
    verified: all.reduce((sum, { verified }) => sum + verified, 0),
    cached: all.reduce((sum, { cached }) => sum + cached, 0),
    refused,
    feed: oldest,
  }
}
