import type { Database, Transaction, WriteScope } from './database.ts'

/** A step that is not taken after all. Throwing it undoes the writes before. */
class Undone extends Error {
  override readonly name = 'Undone'
  readonly outcome: unknown

  constructor(outcome: unknown) {
    super('undone')
    this.outcome = outcome
  }
}

/**
 * Runs a write transaction that `work` can end without effect: it calls `undo` with the outcome, and nothing that it
 * wrote before remains.
 */
export async function writeOrUndo<Outcome>(
  db: Database,
  work: (tx: Transaction, undo: (outcome: Outcome) => never) => Promise<Outcome>,
  scope?: WriteScope,
): Promise<Outcome> {
  const undo = (outcome: Outcome): never => {
    throw new Undone(outcome)
  }
  try {
    return await db.write((tx) => work(tx, undo), scope)
  } catch (error) {
    // Only `undo` throws it, with an outcome.
    if (error instanceof Undone) return error.outcome as Outcome
    throw error
  }
}
