import { StoreFault } from '../../base/faults.ts'
import type { Member, Membership } from '../rows.ts'
import type { Row } from './database.ts'

/** Reads the columns of one table with the types of the schema. */
export interface ColumnReader {
  text(row: Row, column: string): string
  textOrUndefined(row: Row, column: string): string | undefined
  /** A safe integer. */
  integer(row: Row, column: string): number
  integerOrUndefined(row: Row, column: string): number | undefined
  /** An integer column that holds 0 or 1, or a condition, which is a boolean in PostgreSQL. */
  flag(row: Row, column: string): boolean
  bytes(row: Row, column: string): Uint8Array
  /** A text column that holds a JSON array of strings. */
  texts(row: Row, column: string): readonly string[]
}

/**
 * Returns the readers for rows of a table. `undefined` stands for NULL, and for a column that the query left
 * out. Every other mismatch throws a `StoreFault` that names the table and the column: the file was damaged
 * or edited by hand.
 */
export function columnsOf(table: string): ColumnReader {
  const fault = (column: string, expected: string): StoreFault =>
    new StoreFault(`The database holds a wrong value in ${table}.${column}: expected ${expected}.`)

  const textOrUndefined = (row: Row, column: string): string | undefined => {
    const value = row[column]
    if (typeof value === 'string') return value
    if (value === null || value === undefined) return undefined
    throw fault(column, 'text')
  }
  const integerOrUndefined = (row: Row, column: string): number | undefined => {
    const value = row[column]
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value
    if (value === null || value === undefined) return undefined
    throw fault(column, 'a safe integer')
  }
  return {
    textOrUndefined,
    integerOrUndefined,
    text(row, column) {
      const value = row[column]
      if (typeof value === 'string') return value
      throw fault(column, 'text')
    },
    integer(row, column) {
      const value = row[column]
      if (typeof value === 'number' && Number.isSafeInteger(value)) return value
      throw fault(column, 'a safe integer')
    },
    flag(row, column) {
      const value = row[column]
      if (value === 0 || value === 1) return value === 1
      if (typeof value === 'boolean') return value
      throw fault(column, '0 or 1')
    },
    bytes(row, column) {
      const value = row[column]
      if (value instanceof Uint8Array) return value
      throw fault(column, 'bytes')
    },
    texts(row, column) {
      const value = row[column]
      // This is a fast path: most accounts and sessions have no roles, and every refresh reads two such
      // lists.
      if (value === '[]') return NO_TEXTS
      const texts = typeof value === 'string' ? parseTexts(value) : undefined
      if (texts === undefined) throw fault(column, 'a JSON array of strings')
      return texts
    },
  }
}

const NO_TEXTS: readonly string[] = []

function parseTexts(json: string): readonly string[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  return isTexts(value) ? value : undefined
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

const memberships = columnsOf('memberships')

/** Reads a row with the columns `tenant_id`, `name` (of the tenant) and `roles` (of the membership). */
export function toMembership(row: Row): Membership {
  return {
    tenantId: memberships.text(row, 'tenant_id'),
    tenantName: memberships.text(row, 'name'),
    roles: memberships.texts(row, 'roles'),
  }
}

/** Reads a row with columns of a membership and its account, and with `is_default`. */
export function toMember(row: Row): Member {
  return {
    accountId: memberships.text(row, 'account_id'),
    username: memberships.text(row, 'username'),
    isDisabled: memberships.integerOrUndefined(row, 'disabled_at') !== undefined,
    roles: memberships.texts(row, 'roles'),
    isDefault: memberships.flag(row, 'is_default'),
    since: memberships.integer(row, 'since'),
  }
}
