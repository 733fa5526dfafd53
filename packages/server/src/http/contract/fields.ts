import { stripOuterSpace } from '../../base/text.ts'
import { JsonNumber, isPythonInt, pythonText } from '../json-number.ts'

/**
 * Reads text fields like Django REST Framework's `CharField`. The error texts are the same, because clients
 * of SimpleJWT compare them.
 */

/** The values of all named fields, or the errors of all invalid fields. */
export type FieldsResult<Name extends string> =
  | { readonly ok: true; readonly values: Readonly<Record<Name, string>> }
  | { readonly ok: false; readonly errors: Readonly<Partial<Record<Name, readonly string[]>>> }

/** Reads the named fields. Other fields are ignored. */
export function readTextFields<Name extends string>(
  fields: ReadonlyMap<string, unknown>,
  names: readonly Name[],
): FieldsResult<Name> {
  const values: Partial<Record<Name, string>> = {}
  const errors: Partial<Record<Name, readonly string[]>> = {}
  for (const name of names) {
    const field = readText(fields.get(name))
    if (field.ok) values[name] = field.value
    else errors[name] = field.errors
  }
  return Object.keys(errors).length > 0
    ? { ok: false, errors }
    : // Every name has a value, because no name has an error.
      { ok: true, values: values as Record<Name, string> }
}

type FieldResult =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly errors: readonly string[] }

function readText(raw: unknown): FieldResult {
  if (raw === undefined) return failed('This field is required.')
  if (raw === null) return failed('This field may not be null.')
  if (typeof raw !== 'string' && !(raw instanceof JsonNumber)) return failed('Not a valid string.')
  const text = typeof raw === 'string' ? raw : pythonText(raw)
  const value = stripOuterSpace(text)
  if (value === '') return failed('This field may not be blank.')
  const errors = findForbidden(value)
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value }
}

/** Finds characters that a database or a log may not be able to store. Reports both kinds at once. */
function findForbidden(value: string): string[] {
  const errors: string[] = []
  if (value.includes('\0')) errors.push('Null characters are not allowed.')
  const surrogate = findLoneSurrogate(value)
  if (surrogate !== undefined) {
    const point = surrogate.toString(16).toUpperCase()
    errors.push(`Surrogate characters are not allowed: U+${point}.`)
  }
  return errors
}

function findLoneSurrogate(value: string): number | undefined {
  if (value.isWellFormed()) return undefined
  for (const character of value) {
    const point = character.codePointAt(0)!
    if (point >= 0xd800 && point <= 0xdfff) return point
  }
  return undefined
}

function failed(error: string): FieldResult {
  return { ok: false, errors: [error] }
}

/** Returns the Python name of a JSON value's type, for the error about a body that is not an object. */
export function pythonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  if (value instanceof JsonNumber) return isPythonInt(value) ? 'int' : 'float'
  switch (typeof value) {
    case 'string':
      return 'str'
    case 'boolean':
      return 'bool'
    default:
      return 'NoneType'
  }
}
