/**
 * Text fields as Django REST Framework's `CharField` reads them, error texts included: SimpleJWT's
 * clients match on them.
 */

/** The values of all named fields, or the errors of all that failed. */
export type FieldsResult<Name extends string> =
  | { readonly ok: true; readonly values: Readonly<Record<Name, string>> }
  | { readonly ok: false; readonly errors: Readonly<Partial<Record<Name, readonly [string]>>> }

export function readTextFields<Name extends string>(
  fields: ReadonlyMap<string, unknown>,
  names: readonly Name[],
): FieldsResult<Name> {
  const values: Partial<Record<Name, string>> = {}
  const errors: Partial<Record<Name, readonly [string]>> = {}
  for (const name of names) {
    const field = readText(fields.get(name))
    if (field.ok) values[name] = field.value
    else errors[name] = [field.error]
  }
  return Object.keys(errors).length > 0
    ? { ok: false, errors }
    : // Every name was given a value or an error.
      { ok: true, values: values as Record<Name, string> }
}

type FieldResult =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly error: string }

function readText(raw: unknown): FieldResult {
  if (raw === undefined) return failed('This field is required.')
  if (raw === null) return failed('This field may not be null.')
  if (typeof raw !== 'string' && typeof raw !== 'number') return failed('Not a valid string.')
  const value = String(raw).replace(OUTER_SPACE, '')
  if (value === '') return failed('This field may not be blank.')
  if (value.includes('\0')) return failed('Null characters are not allowed.')
  const surrogate = findLoneSurrogate(value)
  if (surrogate !== undefined) {
    const point = surrogate.toString(16).toUpperCase()
    return failed(`Surrogate characters are not allowed: U+${point}.`)
  }
  return { ok: true, value }
}

// What Python's str.strip() takes for white space, which is not what String.trim() does.
const SPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+'
const OUTER_SPACE = new RegExp(`^${SPACE}|${SPACE}$`, 'g')

function findLoneSurrogate(value: string): number | undefined {
  if (value.isWellFormed()) return undefined
  for (const character of value) {
    const point = character.codePointAt(0)!
    if (point >= 0xd800 && point <= 0xdfff) return point
  }
  return undefined
}

function failed(error: string): FieldResult {
  return { ok: false, error }
}

/** The Python name of a JSON value's type, for the error that says what came instead of an object. */
export function pythonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  switch (typeof value) {
    case 'string':
      return 'str'
    case 'boolean':
      return 'bool'
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float'
    default:
      return 'NoneType'
  }
}
