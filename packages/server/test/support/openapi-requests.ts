import fc from 'fast-check'

import type { OpenApi, Operation, Parameter, Schema } from './openapi.ts'

/** The credentials of a planned request. The world that sends it has the real values. */
export type Credentials =
  | 'none'
  | 'bearer'
  | 'refresh as bearer'
  | 'broken bearer'
  | 'cookies'
  | 'cookies without CSRF token'
  | 'cookies from another site'
  | 'cookies twice'
  | 'service account'
  | 'tenant service account'
  | 'wrong secret'
  | 'broken basic'

const CREDENTIALS: readonly Credentials[] = [
  'none',
  'bearer',
  'refresh as bearer',
  'broken bearer',
  'cookies',
  'cookies without CSRF token',
  'cookies from another site',
  'cookies twice',
  'service account',
  'tenant service account',
  'wrong secret',
  'broken basic',
]

/** A body: fields in one of the media types, or a text with a type of its own. */
export type PlannedBody =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'fields'
      readonly media: string
      readonly fields: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'text'; readonly media: string | null; readonly text: string }

/** A request as data, so that it can be shrunk and printed. */
export interface Plan {
  readonly path: string
  readonly method: string
  /** The operation that the request was made from; `method` may be another one. */
  readonly operationId: string
  readonly params: Readonly<Record<string, string>>
  readonly slash: boolean
  readonly query: readonly (readonly [string, string])[]
  readonly credentials: Credentials
  readonly headers: Readonly<Record<string, string>>
  readonly body: PlannedBody
}

/** Stands for a real value that the world puts in: `@access`, `@refresh`, `@session` and so on. */
const REAL: Readonly<Record<string, readonly string[]>> = {
  username: ['@username', 'nobody'],
  password: ['@password', 'wrong', 'staple and no donkey'],
  old_password: ['@password', 'wrong'],
  new_password: ['@password', 'short', 'password1234'],
  refresh: ['@refresh', '@old refresh', '@access', 'garbage'],
  token: ['@refresh', '@access', '@client token', '@old refresh', 'garbage'],
  tenant: ['@tenant', 'nowhere'],
  grant_type: ['client_credentials', 'password'],
  client_id: ['@client id', 'nobody'],
  client_secret: ['@client secret', 'wrong'],
  id: ['@session', 'unknown'],
  guard: ['b3VyLW9yZGVycy1zZXJ2aWNl'],
}

const oddText = fc.oneof(
  fc.constantFrom('', ' ', '\0', '\ud800', 'ä'.repeat(200), 'a'.repeat(20_000), '__proto__', '💥'),
  fc.string(),
)

/** A value that a schema allows. Handles what the document's own schemas use. */
function valid(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  const real = REAL[name]
  const made = validByType(schema)
  return real === undefined
    ? made
    : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...real) }, made)
}

function validByType(schema: Schema): fc.Arbitrary<unknown> {
  const { type, anyOf, enum: choices, pattern } = schema
  if ('const' in schema) return fc.constant(schema['const'])
  if (Array.isArray(choices)) return fc.constantFrom(...(choices as unknown[]))
  if (Array.isArray(anyOf)) return fc.oneof(...(anyOf as Schema[]).map((each) => valid(each)))
  switch (type) {
    case 'string':
      return typeof pattern === 'string'
        ? fc.stringMatching(new RegExp(pattern))
        : fc.string({
            minLength: Number(schema['minLength'] ?? 0),
            maxLength: 40,
            unit: 'grapheme',
          })
    case 'number':
    case 'integer':
      return fc.integer()
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(valid((schema['items'] ?? {}) as Schema), { maxLength: 3 })
    case 'object':
      return validObject(schema)
    default:
      return fc.jsonValue({ maxDepth: 1 })
  }
}

function validObject(schema: Schema): fc.Arbitrary<Record<string, unknown>> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
  return fc.record(
    Object.fromEntries(
      properties
        .filter(([, each]) => each['not'] === undefined)
        .map(([name, each]) => [name, valid(each, name)]),
    ),
    { requiredKeys: (schema['required'] ?? []) as string[] },
  )
}

/** Fields with one mistake: a field is missing, has an odd value, or is unknown. */
function broken(
  fields: fc.Arbitrary<Record<string, unknown>>,
): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .tuple(fields, fc.nat(), fc.oneof(oddText, fc.jsonValue({ maxDepth: 2 })), fc.nat(2))
    .map(([sent, at, odd, how]) => {
      const fieldsSent = new Map(Object.entries(sent))
      const names = [...fieldsSent.keys()]
      const name = names[at % Math.max(1, names.length)] ?? 'token'
      if (how === 0) fieldsSent.delete(name)
      else fieldsSent.set(how === 1 ? name : 'unknown_field', odd)
      return Object.fromEntries(fieldsSent)
    })
}

const MEDIA = [
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
]

const oddBody: fc.Arbitrary<PlannedBody> = fc.record({
  kind: fc.constant('text'),
  media: fc.constantFrom(...MEDIA, 'text/plain', 'application/json; charset=utf-16', '', null),
  text: fc.oneof(
    oddText,
    fc.json({ maxDepth: 3 }),
    fc.constantFrom(
      '{',
      '[]',
      'null',
      '7',
      '{"a":1,"a":1}',
      '{"__proto__":{"a":1}}',
      'a=1&a=2',
      'a=%zz',
      `${'['.repeat(50)}${']'.repeat(50)}`,
      '--x\r\nContent-Disposition: form-data; name="token"; filename="f"\r\n\r\n1\r\n--x--\r\n',
    ),
  ),
})

function bodyOf({ requestBody }: Operation): fc.Arbitrary<PlannedBody> {
  const contents = Object.entries(requestBody?.content ?? {})
  const none: fc.Arbitrary<PlannedBody> = fc.constant({ kind: 'none' })
  const first = contents[0]?.[1].schema
  if (first === undefined) return fc.oneof({ weight: 9, arbitrary: none }, oddBody)
  const fields = validObject(first)
  const media = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...contents.map(([each]) => each)) },
    fc.constantFrom(...MEDIA),
  )
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('fields' as const), media, fields }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('fields' as const), media, fields: broken(fields) }),
    },
    oddBody,
    none,
  )
}

function queryOf(parameters: readonly Parameter[]): fc.Arbitrary<[string, string][]> {
  const pairs = parameters
    .filter((each) => each.in === 'query')
    .map(({ name, schema, required }) => {
      // A guard with an echo holds a lease of 30 s, and `?wait=effective` would wait for it.
      const good = name === 'nonce' ? fc.constant('short') : valid(schema, name).map(String)
      const short = name === 'wait' && 'pattern' in schema ? fc.constantFrom('0', '3') : good
      const value = fc.oneof({ weight: 5, arbitrary: short }, fc.constantFrom('', 'effectiv', '-1'))
      return fc.option(value, { freq: required ? 12 : 1, nil: undefined }).map((text) => {
        const pair: [string, string][] = text === undefined ? [] : [[name, text]]
        return pair
      })
    })
  return fc
    .tuple(...pairs, fc.constantFrom([], [], [], [['x', '1']] as [string, string][]))
    .map((lists) => lists.flat())
}

const oddHeaders: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({}) },
  fc.constantFrom(
    { 'content-encoding': 'gzip' },
    { 'content-length': '99999999' },
    { accept: 'text/html' },
    { 'x-forwarded-for': '1.2.3.4, , x' },
    { 'x-http-method-override': 'DELETE' },
    { 'if-none-match': '*' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { origin: 'null' },
    { upgrade: 'websocket', connection: 'Upgrade' },
    { 'x-csrf-token': 'a, b', 'x-csrftoken': 'c' },
    { cookie: 'cs_access=; cs_refresh=x; cs_refresh=y; __Host-cs_access=%' },
    { authorization: 'Bearer' },
    { authorization: 'Basic %%%' },
    { 'user-agent': 'a'.repeat(1_000) },
    { cookie: 'x='.repeat(500) },
  ),
)

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']

/** Half of the requests have the credentials that the operation requires. The others have any credentials. */
function credentialsOf({ security }: Operation): fc.Arbitrary<Credentials> {
  const names = new Set(security.flatMap((each) => Object.keys(each)))
  const fitting: Credentials[] = []
  if (names.has('accessToken')) fitting.push('bearer', 'cookies')
  if (names.has('refreshCookie')) fitting.push('cookies')
  if (names.has('serviceAccount')) fitting.push('service account')
  if (fitting.length === 0) fitting.push('none', 'cookies')
  return fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...fitting) },
    { weight: 3, arbitrary: fc.constantFrom(...CREDENTIALS) },
  )
}

/** Requests to one operation: most of them as documented, the others broken somewhere. */
function requestsTo(path: string, method: string, operation: Operation): fc.Arbitrary<Plan> {
  const parameters = operation.parameters ?? []
  const params = parameters.filter((each) => each.in === 'path')
  const id = fc.oneof(
    fc.constantFrom('@session', '@session', 'unknown', '%41', 'a.b'),
    fc.stringMatching(/^[\w-]{1,40}$/),
  )
  return fc.record({
    path: fc.constant(path),
    method: fc.oneof({ weight: 14, arbitrary: fc.constant(method) }, fc.constantFrom(...METHODS)),
    operationId: fc.constant(operation.operationId),
    params: fc.record(Object.fromEntries(params.map(({ name }) => [name, id]))),
    // Where a slash is not part of the API, it is always 404.
    slash: takesSlash(path) ? fc.boolean() : fc.nat(7).map((at) => at === 0),
    query: queryOf(parameters),
    credentials: credentialsOf(operation),
    headers: oddHeaders,
    body: bodyOf(operation),
  })
}

/** Whether a path is answered with a slash at its end, too. */
export function takesSlash(path: string): boolean {
  return path === '/' || /^\/(?:sign-in|api\/token|auth|oauth2)(?:\/|$)/.test(path)
}

/** Requests to all operations of a document. Simple operations are rarer. */
export function requestsOf({ paths }: OpenApi): fc.Arbitrary<Plan> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      weight: operation.security.length > 0 || operation.requestBody !== undefined ? 4 : 1,
      arbitrary: requestsTo(path, method.toUpperCase(), operation),
    })),
  )
  return fc.oneof(...operations)
}
