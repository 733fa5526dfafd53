import { z } from 'zod'

/** A JSON object. The document is JSON, and nothing in it is read back by this program. */
export type Json = Readonly<Record<string, unknown>>

/** The JSON Schema (draft 2020-12) of what a client sends: unknown members are allowed. */
export function inputSchema(schema: z.ZodType): Json {
  return withoutDialect(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }))
}

/** The JSON Schema (draft 2020-12) of what the server answers: it has no other members. */
export function outputSchema(schema: z.ZodType): Json {
  return withoutDialect(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }))
}

/** The document names its dialect once. */
function withoutDialect(schema: Json): Json {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema'))
}

/** The properties of an object schema: name, schema, and whether it is required. */
export function propertiesOf(
  schema: Json,
): readonly { readonly name: string; readonly schema: Json; readonly isRequired: boolean }[] {
  // Zod writes these two members of an object schema.
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Json>>
  const required = new Set((schema['required'] ?? []) as readonly string[])
  return Object.entries(properties).map(([name, each]) => ({
    name,
    schema: each,
    isRequired: required.has(name),
  }))
}
