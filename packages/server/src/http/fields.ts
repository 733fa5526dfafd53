import { readBody } from './body.ts'
import { problem } from './problem.ts'

/** The text fields of a body, or the answer that says what is wrong with it. */
export type Fields<Required extends string, Optional extends string, Nullable extends string> =
  | {
      readonly ok: true
      readonly values: Readonly<
        Record<Required, string> &
          Partial<Record<Exclude<Optional, Nullable>, string>> &
          Partial<Record<Nullable, string | null>>
      >
    }
  | { readonly ok: false; readonly response: Response }

export interface Wanted<Required extends string, Optional extends string, Nullable extends string> {
  readonly required: readonly Required[]
  readonly optional?: readonly Optional[]
  /** Those of the optional ones that may be null. */
  readonly nullable?: readonly Nullable[]
}

/**
 * Reads a body, JSON or form, and its text fields exactly as they were sent. Unknown fields are
 * ignored; a wrong one is named in the answer.
 */
export async function readFields<
  Required extends string,
  Optional extends string = never,
  Nullable extends Optional = never,
>(
  request: Request,
  { required, optional = [], nullable = [] }: Wanted<Required, Optional, Nullable>,
): Promise<Fields<Required, Optional, Nullable>> {
  const body = await readBody(request)
  if (!body.ok) return { ok: false, response: problem(body.code) }
  if (body.fields === undefined) return { ok: false, response: problem('body_not_object') }

  const values: Record<string, string | null> = {}
  const wrong: string[] = []
  const mayBeNull: ReadonlySet<string> = new Set(nullable)
  const isRequired: ReadonlySet<string> = new Set(required)
  for (const name of [...required, ...optional]) {
    const value = body.fields.get(name)
    if (value === undefined && !isRequired.has(name)) continue
    if (value === null && mayBeNull.has(name)) values[name] = null
    else if (typeof value === 'string' && value !== '' && value.isWellFormed()) values[name] = value
    else wrong.push(name)
  }
  if (wrong.length > 0) {
    return { ok: false, response: problem('fields_invalid', {}, { fields: wrong }) }
  }
  // Each name has the value that its kind allows.
  return { ok: true, values: values as never }
}
