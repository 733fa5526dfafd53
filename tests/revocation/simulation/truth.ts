/** What the world knows about a token: its account, and when its content was read. */
export interface SimToken {
  readonly claims: {
    readonly iss: string
    readonly sub: string
    readonly sid: string
    readonly jti: string
    readonly client_id: string
    readonly rvp: number
    readonly iat: number
    readonly exp: number
  }
  /** When account and session were read, as a number in the order of all steps. */
  readonly readStep: number
  /** When the login was first proved, as a number in the same order. */
  readonly provenStep: number
  /** Whether it was issued from a state that the store has lost since. */
  isOfLostBranch: boolean
}

/** A revocation. */
export interface SimRevocation {
  readonly kind: 'session' | 'account' | 'token'
  readonly subject: string
  readonly isHard: boolean
  readonly step: number
  /** When it was committed, or written again after a loss. Undefined while the store has lost it. */
  committedAt: number | undefined
  /** When it was written again for guards with entries of a lost history. */
  againAt: number | undefined
}

/** What really happened, as an observer of the whole world sees it. */
export class Truth {
  readonly revocations: SimRevocation[] = []
  readonly tokens: SimToken[] = []
  /** All sessions were ended, so a session that has ended is not a violation. */
  hasStartedOver = false
  #step = 0

  /** Returns the next number in the order of all steps. */
  step(): number {
    this.#step += 1
    return this.#step
  }

  get lastStep(): number {
    return this.#step
  }

  /** Returns the moment from which a token must not be accepted; undefined while it may be accepted. */
  overSince(token: SimToken): number | undefined {
    let since: number | undefined
    for (const each of this.revocations) {
      if (!concerns(each, token)) continue
      const at = token.isOfLostBranch ? each.againAt : each.committedAt
      if (at !== undefined && (since === undefined || at < since)) since = at
    }
    return since
  }
}

function concerns({ kind, subject, isHard, step }: SimRevocation, token: SimToken): boolean {
  const { claims, readStep, provenStep } = token
  const named = kind === 'session' ? claims.sid : kind === 'account' ? claims.sub : claims.jti
  if (named !== subject) return false
  // Ending all sessions of an account includes sessions that were proved earlier, even if their rows were
  // written later.
  return kind === 'account' && isHard ? provenStep < step : readStep < step
}
