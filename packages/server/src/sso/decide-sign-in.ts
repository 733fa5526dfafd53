import { TWO_FACTORS } from '../factors/proof.ts'
import type { EpochMs } from '../base/clock.ts'
import type { Session } from '../store/rows.ts'

/** The demands of a request on the sign-in of a person (OpenID Connect Core 1.0 §3.1.2.1, §5.5.1.1). */
export interface SignInDemand {
  /** Whether the person must prove who they are after the request began: `prompt=login`. */
  readonly isNew: boolean
  /** Whether the person must choose with which account to log in: `prompt=select_account`. */
  readonly isChoice: boolean
  /** How old the last proof may be, in seconds. */
  readonly maxAgeSec: number | undefined
  /** The accepted classes of authentication. Undefined: any. */
  readonly acrs: readonly string[] | undefined
  /** Whether the request fails with any other class. */
  readonly isAcrEssential: boolean
  /** The account that the request names. Undefined: any. */
  readonly accountId: string | undefined
}

/** The session of the person, and the request. */
export interface SignInFacts {
  readonly session: Pick<Session, 'accountId' | 'authenticatedAt' | 'acr'>
  /** When the request began, by the server's clock. Undefined while it begins. */
  readonly startedAt: EpochMs | undefined
  readonly now: EpochMs
}

/**
 * Whether a sign-in is enough for a request. `other_account`: the request names another account. `stale`: the person
 * must prove again who they are. `weak`: the request asks for a stronger proof.
 */
export type SignInDecision = 'enough' | 'other_account' | 'stale' | 'weak'

/**
 * Decides whether a session is enough for a request. Pure. It is decided again at each step from the stored request and
 * the row of the session, so it does not help to leave out a parameter on the way.
 *
 * A proof after the request began is always new enough. Otherwise a small `max_age` would ask again and again.
 */
export function decideSignIn(
  { isNew, maxAgeSec, acrs, accountId }: SignInDemand,
  { session, startedAt, now }: SignInFacts,
): SignInDecision {
  if (accountId !== undefined && accountId !== session.accountId) return 'other_account'
  const isFresh = startedAt !== undefined && session.authenticatedAt >= startedAt
  const isOld = maxAgeSec !== undefined && now - session.authenticatedAt > maxAgeSec * 1000
  if (!isFresh && (isNew || isOld)) return 'stale'
  return acrs === undefined || (session.acr !== undefined && acrs.includes(session.acr))
    ? 'enough'
    : 'weak'
}

/** The parameters of an authorization request that say who must sign in and how. The library has checked their form. */
export interface SignInParameters {
  readonly prompt?: string | undefined
  readonly max_age?: string | undefined
  readonly acr_values?: string | undefined
  readonly claims?: string | undefined
  readonly id_token_hint?: string | undefined
}

/**
 * Reads what a request demands. Pure. Classes that the server does not have are demanded only if they are essential:
 * `acr_values` is a wish.
 */
export function readDemand(parameters: SignInParameters): SignInDemand {
  const { prompt, max_age: maxAge, acr_values: acrValues, id_token_hint: hint } = parameters
  const asked = readObject(readObject(parse(parameters.claims))['id_token'])
  const acr = readObject(asked['acr'])
  const essential = acr['essential'] === true ? textsOf(acr['values'] ?? acr['value']) : undefined
  const wished = [...(acrValues?.split(' ') ?? []), ...textsOf(acr['values'] ?? acr['value'])]
  const sub = readObject(asked['sub'])['value']
  const prompts = prompt?.split(' ') ?? []
  return {
    isNew: prompts.includes('login'),
    isChoice: prompts.includes('select_account'),
    maxAgeSec: maxAge === undefined ? undefined : Number(maxAge),
    acrs: essential ?? (wished.includes(TWO_FACTORS) ? wished : undefined),
    isAcrEssential: essential !== undefined,
    accountId: typeof sub === 'string' ? sub : subjectOf(hint),
  }
}

/** The subject of an ID token whose signature was checked when the request began. */
function subjectOf(hint: string | undefined): string | undefined {
  const payload = hint?.split('.')[1]
  if (payload === undefined) return undefined
  const { sub } = readObject(parse(Buffer.from(payload, 'base64url').toString()))
  return typeof sub === 'string' ? sub : undefined
}

function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((each) => typeof each === 'string')
}

function parse(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : JSON.parse(json)
  } catch {
    return undefined // The library refuses such a request.
  }
}

function readObject(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  // An object of JSON has any members.
  return isObject ? (value as Readonly<Record<string, unknown>>) : {}
}
