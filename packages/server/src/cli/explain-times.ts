import { formatSpan, formatTime } from './print.ts'

/** The claims that hold a time (RFC 7519 §4.1, OpenID Connect Core §2), in the order in which they happen. */
const TIMES = {
  auth_time: 'logged in',
  iat: 'issued',
  nbf: 'valid from',
  exp: 'expires',
} as const

// `Date` holds no time beyond this (ECMA-262 §21.4.1.1).
const SECONDS_MAX = 8.64e12

/** Returns one line for each time in the claims, in UTC and relative to now. A token can hold any value there. */
export function describeTimes(claims: Readonly<Record<string, unknown>>, nowMs: number): string[] {
  return Object.entries(TIMES).flatMap(([claim, name]) => {
    const at = claims[claim]
    if (typeof at !== 'number' || !(Math.abs(at) <= SECONDS_MAX)) return []
    const distanceSec = at - nowMs / 1000
    const span = formatSpan(Math.abs(distanceSec))
    const relative = distanceSec < 0 ? `${span} ago` : `in ${span}`
    return [`${claim.padEnd(9)}  ${name.padEnd(10)}  ${formatTime(at * 1000)}  (${relative})`]
  })
}
