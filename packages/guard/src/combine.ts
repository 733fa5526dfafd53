import { decodeUnverified } from '@countersign/jwt'

import { readBearer, readDpopToken } from './request/bearer.ts'
import type { Guard, GuardMetrics, RouteGuard, VerifyResult } from './guard.ts'
import type { GuardRefusalCode, Refused } from './refusals.ts'
import type { RequestView } from './request/request-view.ts'
import { assertGuard } from './route-of.ts'

/**
 * Combines the guards of several issuers. The guard of the issuer that a token names verifies it, with that
 * issuer's keys and log. No other guard does. The first guard refuses tokens of unknown issuers. A cookie
 * goes to the guard that reads a cookie of that name. A combined guard counts as its parts. Throws a
 * TypeError for two guards of the same issuer or with the same cookie name.
 */
export function combineGuards<Own = unknown>(
  given: readonly [Guard<Own>, ...Guard<Own>[]],
): Guard<Own> {
  const guards = readGuards(given)
  const [first] = guards
  const byIssuer = new Map(guards.map((guard) => [guard.issuer, guard]))
  const cookieNames = guards.flatMap(({ cookieName }) => cookieName ?? [])

  // The `iss` of an unverified token proves nothing. It only selects the guard that verifies the token with
  // its own keys.
  function guardOf(token: string): Guard {
    const decoded = decodeUnverified(token)
    const iss = decoded.ok ? decoded.claims['iss'] : undefined
    return (typeof iss === 'string' ? byIssuer.get(iss) : undefined) ?? first
  }

  function guardFor(request: RequestView): Guard {
    const authorization = request.values('authorization')
    for (const reading of [readBearer(authorization), readDpopToken(authorization)]) {
      if (reading.ok) return guardOf(reading.token)
    }
    return guards.find((guard) => guard.hasCookieOf(request)) ?? first
  }

  // The guard that made each refusal. A challenge carries the realm and metadata of that guard.
  const refusers = new WeakMap<Refused, Guard>()
  const combine = (routeOf: (guard: Guard) => RouteGuard): RouteGuard =>
    combineRoutes({ guardFor, routeOf, first, refusers })
  const whole: Guard = {
    ...combine((guard) => guard),
    issuer: first.issuer,
    audience: [...new Set(guards.flatMap(({ audience }) => audience))],
    hasFeed: guards.every(({ hasFeed }) => hasFeed),
    cookieName: cookieNames[0],
    dpop: undefined, // the parts differ, see resourceMetadata
    hasCookieOf: (request) => guards.some((guard) => guard.hasCookieOf(request)),
    verify: (token, options) => guardOf(token).verify(token, options),
    route: (requirements) => {
      const routes = new Map(guards.map((guard) => [guard, guard.route(requirements)]))
      return combine((guard) => routes.get(guard) ?? guard)
    },
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
  // All parts have the own claims that the caller named.
  return whole as Guard<Own>
}

function readGuards(given: readonly Guard[]): readonly [Guard, ...Guard[]] {
  if (!Array.isArray(given)) throw new TypeError('combineGuards needs an array of guards.')
  const [first, ...others] = given.flatMap((guard: Guard) => partsOf(assertGuard(guard)))
  if (first === undefined) throw new TypeError('combineGuards: the array is empty.')
  const guards = [first, ...others] as const
  if (new Set(guards.map(({ issuer }) => issuer)).size < guards.length) {
    throw new TypeError('combineGuards: two guards have the same issuer.')
  }
  const cookieNames = guards.flatMap(({ cookieName }) => cookieName ?? [])
  if (new Set(cookieNames).size < cookieNames.length) {
    throw new TypeError(
      'combineGuards: two guards read the same cookie. Change cookies.name of one of them.',
    )
  }
  return guards
}

function combineRoutes({
  guardFor,
  routeOf,
  first,
  refusers,
}: {
  readonly guardFor: (request: RequestView) => Guard
  readonly routeOf: (guard: Guard) => RouteGuard
  readonly first: Guard
  readonly refusers: WeakMap<Refused, Guard>
}): RouteGuard {
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
    challenge: (refused) => routeOf(refusers.get(refused) ?? first).challenge(refused),
  }
}

const parts = new WeakMap<object, readonly Guard[]>()

/** Returns the parts of a combined guard. For any other guard, returns only that guard. */
export function partsOf<AnyGuard extends object>(guard: AnyGuard): readonly (AnyGuard | Guard)[] {
  return parts.get(guard) ?? [guard]
}

/** Adds up the counts. `feed` comes from the guard whose copy of the log may be the oldest. */
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
