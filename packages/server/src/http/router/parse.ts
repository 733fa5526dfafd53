import type { z } from 'zod'

import { refusals, type RefusalCode } from '../../base/refusals.ts'
import { readBody, readForm } from '../body.ts'
import type { BodyRule } from './route.ts'

/** A value that a schema accepted, or the refusal. */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
      readonly ok: false
      readonly code: RefusalCode
      /** The names of the invalid fields, in the schema's order. */
      readonly fields?: readonly string[]
    }

/**
 * Checks fields against an object schema. Unknown fields are dropped. A schema may use a refusal code as the
 * error message of a field. That code is then the result instead of `fields_invalid`.
 */
export function parseFields<Value>(
  schema: z.ZodType<Value>,
  fields: Iterable<readonly [string, unknown]>,
): Parsed<Value> {
  const result = schema.safeParse(Object.fromEntries(fields))
  if (result.success) return { ok: true, value: result.data }
  const { issues } = result.error
  const [first] = issues
  if (first !== undefined && isRefusalCode(first.message)) {
    return { ok: false, code: first.message }
  }
  const names = new Set(issues.map(({ path }) => String(path[0])))
  return { ok: false, code: 'fields_invalid', fields: [...names] }
}

function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(refusals, text)
}

/** Reads the body of a request and checks it against the rule of its route. */
export async function parseBody<Value>(
  request: Request,
  rule: BodyRule<Value>,
): Promise<Parsed<Value>> {
  const isForm = rule.format === 'form'
  const body = await (isForm ? readForm(request) : readBody(request))
  if (!body.ok) return body
  if (body.fields === undefined) return { ok: false, code: 'body_not_object' }
  // A parameter without a value counts as omitted (RFC 6749 §3.2).
  return parseFields(
    rule.schema(),
    isForm ? [...body.fields].filter(([, value]) => value !== '') : body.fields,
  )
}

/** Checks the query of a URL. For a repeated parameter, the first value is used. */
export function parseQuery<Value>(schema: z.ZodType<Value>, url: string): Parsed<Value> {
  const { searchParams } = new URL(url)
  const names = [...new Set(searchParams.keys())]
  return parseFields(
    schema,
    names.map((name) => [name, searchParams.get(name)] as const),
  )
}
