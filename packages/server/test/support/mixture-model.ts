/** The relevant part of one answer. */
export interface Seen {
  readonly kind:
    | 'change'
    | 'wrongChange'
    | 'logout'
    | 'blacklist'
    | 'endOwn'
    | 'refresh'
    | 'refreshOld'
    | 'look'
  readonly status: number
  /** The password that a change sets, or the refresh token that a refresh returned. */
  readonly value?: string | undefined
  /** The code of a refused change. */
  readonly code?: string | undefined
}

/** The state before the mixture, for a session of generation 1. */
export interface Start {
  readonly oldPassword: string
  /** The successor of the token before the current one. */
  readonly previousGives: string
}

/** The state after all answers. */
export interface Observed {
  readonly isAlive: boolean
  /** Whether the other session of the account has ended. */
  readonly wasWitnessEnded: boolean
  /** Those of the tried passwords that log in. */
  readonly opening: readonly string[]
  /** The generation of the session. Undefined when it has ended, because nobody can tell then. */
  readonly generation: number | undefined
}

interface State {
  readonly isAlive: boolean
  readonly generation: 1 | 2
  readonly password: string
}

/**
 * Checks whether some sequence of these requests leads to these answers and this final state. Returns
 * 'explained', or the part that no sequence explains.
 *
 * Answers that change nothing are placed as soon as they fit: a later place could not fit better. Every order
 * is tried only for those that change something. Equal ones count as one, so there are few.
 */
export function explain(start: Start, seen: readonly Seen[], observed: Observed): string {
  const successors = new Set(
    seen.flatMap(({ kind, status, value }) =>
      kind === 'refresh' && status === 200 ? [value] : [],
    ),
  )
  if (successors.size > 1) return `${successors.size} successors of one token`
  const first: State = { isAlive: true, generation: 1, password: start.oldPassword }
  const why: string[] = []
  return search(start, first, seen, observed, why) ? 'explained' : [...new Set(why)].join('; ')
}

function search(
  start: Start,
  state: State,
  seen: readonly Seen[],
  observed: Observed,
  why: string[],
): boolean {
  const left = seen.filter((each) => {
    const next = apply(start, state, each)
    return next === undefined || !isSame(next, state)
  })
  if (left.length === 0) {
    const difference = differenceOf(start, state, observed)
    if (difference !== undefined) why.push(difference)
    return difference === undefined
  }
  const tried = new Set<string>()
  for (const [at, each] of left.entries()) {
    const next = apply(start, state, each)
    const key = JSON.stringify([each, next])
    if (next === undefined || tried.has(key)) continue
    tried.add(key)
    if (search(start, next, left.toSpliced(at, 1), observed, why)) return true
  }
  why.push(`${JSON.stringify(left[0])} fits nowhere after ${JSON.stringify(state)}`)
  return false
}

function isSame(a: State, b: State): boolean {
  return a.isAlive === b.isAlive && a.generation === b.generation && a.password === b.password
}

/** The state after this request. Undefined when the request would get another answer in this state. */
function apply(start: Start, state: State, { kind, status, value, code }: Seen): State | undefined {
  const { isAlive, generation, password } = state
  const isChanged = password !== start.oldPassword
  const ended = { ...state, isAlive: false }
  switch (kind) {
    case 'look':
      return status === (isAlive && !isChanged ? 200 : 401) ? state : undefined
    case 'change':
      if (status === 204) {
        return isAlive && !isChanged && value !== undefined
          ? { ...state, password: value }
          : undefined
      }
      return status === 401 && isWhyNoChange(code, isAlive, isChanged) ? state : undefined
    case 'wrongChange': {
      const isWhy =
        code === 'credentials_invalid' ? isAlive : isWhyNoChange(code, isAlive, isChanged)
      return status === 401 && isWhy ? state : undefined
    }
    case 'logout':
      // The session has already ended.
      return status === 204 ? ended : undefined
    case 'endOwn':
      // Two requests that end it together both succeed.
      if (status === 204) return ended
      return status === 401 && (!isAlive || isChanged) ? state : undefined
    case 'blacklist':
      if (status === 200) return isAlive ? ended : undefined
      return status === 401 && !isAlive ? state : undefined
    case 'refresh':
      if (status === 200) return isAlive ? { ...state, generation: 2 } : undefined
      return status === 401 && !isAlive ? state : undefined
    case 'refreshOld':
      if (status === 200) {
        return isAlive && generation === 1 && value === start.previousGives ? state : undefined
      }
      if (status !== 401) return undefined
      // A token that is two generations old was copied. It ends the session.
      return isAlive ? (generation === 2 ? ended : undefined) : state
  }
}

/**
 * Whether a request with a password that is wrong, or no longer right, may get this answer. A change
 * revokes the access token that all requests carry. Some get that refusal. Others passed that check
 * before the change, and get the refusal of the password.
 */
function isWhyNoChange(code: string | undefined, isAlive: boolean, isChanged: boolean): boolean {
  if (!isAlive) return code === 'session_ended'
  return isChanged && (code === 'credentials_invalid' || code === 'token_stale')
}

function differenceOf(start: Start, state: State, observed: Observed): string | undefined {
  const { isAlive, generation, password } = state
  if (isAlive !== observed.isAlive) return isAlive ? 'it should live' : 'it should be over'
  if (isAlive && generation !== observed.generation) return `generation ${observed.generation}`
  if (observed.opening.length !== 1 || observed.opening[0] !== password) {
    return `${observed.opening.length} passwords log in, or another one`
  }
  const isChanged = password !== start.oldPassword
  return isChanged === observed.wasWitnessEnded ? undefined : 'another session lives or is over'
}
