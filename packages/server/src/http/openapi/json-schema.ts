import { z } from 'zod'

/** A JSON object of the document. This program only writes it. */
export type Json = Readonly<Record<string, unknown>>

/** Returns the JSON Schema (draft 2020-12) of a value that clients send: unknown members are allowed. */
export function inputSchema(schema: z.ZodType): Json {
  return withoutDialect(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }))
}

/** Returns the JSON Schema (draft 2020-12) of a value that the server sends: no other members are allowed. */
export function outputSchema(schema: z.ZodType): Json {
  return withoutDialect(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }))
}

/** Removes the `$schema` of a schema, because the document names its dialect once. */
function withoutDialect(schema: Json): Json {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema'))
}

/** Returns the properties of an object schema: name, schema, and whether the property is required. */
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
