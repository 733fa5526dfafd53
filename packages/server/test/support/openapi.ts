import { Ajv2020 } from 'ajv/dist/2020.js'

import { ISSUER, type TestAuthority } from './authority.ts'

/** A JSON Schema of the document. */
export type Schema = Readonly<Record<string, unknown>>

export interface Content {
  readonly schema?: Schema
  readonly example?: unknown
}

export interface ResponseObject {
  readonly description?: string
  readonly content?: Readonly<Record<string, Content>>
  readonly 'x-body-optional'?: boolean
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Schema
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly security: readonly Readonly<Record<string, unknown>>[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: ResponseObject & { readonly required: boolean }
  readonly responses: Readonly<Record<string, ResponseObject>>
}

/** The parts of an OpenAPI document that the tests read. */
export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** The document as a client gets it. */
export async function readDocument({ authority }: TestAuthority): Promise<OpenApi> {
  const response = await authority.fetch(new Request(`${ISSUER}/openapi.json`))
  return (await response.json()) as OpenApi
}

/** A check of values against schemas (draft 2020-12): a line for each mistake. */
export function schemaChecker(): (schema: Schema, value: unknown) => string[] {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, logger: false })
  const compiled = new WeakMap<Schema, ReturnType<typeof ajv.compile>>()
  return (schema, value) => {
    const validate = compiled.get(schema) ?? ajv.compile(schema)
    compiled.set(schema, validate)
    if (validate(value)) return []
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${instancePath || '/'} ${String(message)} ${JSON.stringify(params)}`,
    )
  }
}
