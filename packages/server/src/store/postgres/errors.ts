import { DatabaseError } from 'pg'

import { StoreFault, messageOf } from '../../base/faults.ts'

/** Error codes of PostgreSQL (appendix A of its manual). */
const CODES = {
  serializationFailure: '40001',
  deadlock: '40P01',
  noSuchStatement: '26000',
  duplicateStatement: '42P05',
  featureNotSupported: '0A000',
} as const

function codeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
}

/** Whether the server rejected a value of the statement. */
export function isOfValue(fault: unknown): boolean {
  // Class 22: data exception.
  return fault instanceof StoreFault && codeOf(fault.cause)?.startsWith('22') === true
}

/** Whether the transaction was rolled back only because another transaction was in its way. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error)
  return code === CODES.serializationFailure || code === CODES.deadlock
}

/** Whether a connection pool in front of the database lost a prepared statement, as PgBouncer before 1.21 does. */
export function isStatementLost(error: unknown): boolean {
  const code = codeOf(error)
  return code === CODES.noSuchStatement || code === CODES.duplicateStatement
}

/** Whether a newer version has added a column while a prepared statement selected all columns of the table. */
export function isPlanOutdated(error: unknown): boolean {
  return (
    codeOf(error) === CODES.featureNotSupported &&
    error instanceof DatabaseError &&
    error.message.includes('cached plan')
  )
}

/**
 * Turns an error of the driver or the server into a `StoreFault`. Its message contains no values: PostgreSQL puts them
 * into `detail`, which stays in the cause.
 */
export function asFault(error: unknown): unknown {
  if (error instanceof DatabaseError) {
    const code = error.code ?? 'no code'
    return new StoreFault(`The database failed: ${error.message} (${code})`, { cause: error })
  }
  return error
}

/** Turns a failure to connect into a `StoreFault`. */
export function asConnectionFault(error: unknown): StoreFault {
  const reason =
    error instanceof AggregateError
      ? error.errors.map((each) => messageOf(each)).join(', ')
      : messageOf(error)
  return new StoreFault(`The database cannot be reached: ${reason}`, { cause: error })
}
