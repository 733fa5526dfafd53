/** A token as the world knows it: who it is of, and when what it says was read. */
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
  /** Where in the order of all steps the account and the session behind it were read. */
  readonly readStep: number
  /** The same for the first proof of its sign-in. */
  readonly provenStep: number
  /** Minted from a state that the store has lost since. */
  isOfLostBranch: boolean
}

/** Something that was taken back. */
export interface SimRevocation {
  readonly kind: 'session' | 'account' | 'token'
  readonly subject: string
  readonly isHard: boolean
  readonly step: number
  /** When it was committed, or written again after a loss; undefined while the store has lost it. */
  committedAt: number | undefined
  /** When it was written again for those who know a lost branch. */
  againAt: number | undefined
}

/** What really happened, seen by somebody who is everywhere at once. */
export class Truth {
  readonly revocations: SimRevocation[] = []
  readonly tokens: SimToken[] = []
  /** Everybody had to sign in again: nobody is wronged by a session that is over. */
  hasStartedOver = false
  #step = 0

  /** The next place in the order of all steps. */
  step(): number {
    this.#step += 1
    return this.#step
  }

  get lastStep(): number {
    return this.#step
  }

  /** Since when a token must not be accepted any more; undefined while it may be. */
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
  // What ends an account's sessions ends those that were proven before, whenever they were written.
  return kind === 'account' && isHard ? provenStep < step : readStep < step
}
