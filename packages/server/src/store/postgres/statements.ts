/** A statement in the form that the driver expects. Without a name, the server parses it at each use. */
export interface Prepared {
  readonly text: string
  readonly name?: string
}

/** Prepares each statement once on each connection. */
export class Statements {
  readonly #known = new Map<string, Prepared>()
  #isPreparing = true
  #generation = 0

  /** Returns the statement for SQL with `?` for each value. */
  of(sql: string): Prepared {
    let known = this.#known.get(sql)
    if (known === undefined) {
      const text = numberValues(sql)
      const name = `cs_${this.#generation}_${this.#known.size}`
      known = this.#isPreparing ? { text, name } : { text }
      this.#known.set(sql, known)
    }
    return known
  }

  /** Uses unnamed statements from now on, because a proxy in front of the server does not keep the named ones. */
  stopPreparing(): void {
    this.#isPreparing = false
    this.#known.clear()
  }

  /** Uses new names from now on, because tables have changed. */
  prepareAgain(): void {
    this.#generation += 1
    this.#known.clear()
  }
}

/** Writes `$1`, `$2` and so on for each `?`. No statement has a `?` in a literal. */
function numberValues(sql: string): string {
  let count = 0
  return sql.replaceAll('?', () => `$${(count += 1)}`)
}
