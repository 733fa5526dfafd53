import type { RouteDescription } from '../router/route.ts'
import { answersOf, type DocumentedAnswer } from './answers.ts'
import { inputSchema, propertiesOf, type Json } from './json-schema.ts'
import { aboutCsrf, accessText } from './texts.ts'

/** The facts about the server in the document. */
export interface ServerFacts {
  /** The public URL. */
  readonly issuer: string
  /** Returns the name of a cookie, which depends on the public URL. */
  readonly cookieName: (kind: 'access' | 'refresh') => string
}

const DESCRIPTION = `The HTTP API of Countersign, an authentication server.

- Paths below \`/api/token\`, \`/auth\` and \`/oauth2\` are answered with and without a slash at the end. All other paths are exact.
- HEAD works wherever GET does. Any other method gets 405 with \`Allow\`.
- A body has at most 16 KiB.
- Errors are problem documents (RFC 9457) with a stable \`code\`. Errors below \`/api/token\` have the form of SimpleJWT, and errors below \`/oauth2\` have the form of RFC 6749 §5.2. Errors below \`/auth/account\` are pages.`

/** Makes the OpenAPI 3.1 document of the given rows. */
export function createOpenApiDocument(
  routes: readonly RouteDescription[],
  { issuer, cookieName }: ServerFacts,
): Json {
  const paths: Record<string, Record<string, Json>> = {}
  // The files of the interactive page are not part of the API.
  for (const row of routes.filter(({ kind }) => kind !== 'asset')) {
    const operations = (paths[row.path] ??= {})
    operations[row.method.toLowerCase()] = operationOf(row)
  }
  return {
    openapi: '3.1.1',
    // The version of the API. The document is public, so it does not name the version of the program.
    info: { title: 'Countersign', version: '1', description: DESCRIPTION },
    servers: [{ url: issuer }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        accessCookie: { type: 'apiKey', in: 'cookie', name: cookieName('access') },
        refreshCookie: { type: 'apiKey', in: 'cookie', name: cookieName('refresh') },
        serviceAccount: {
          type: 'http',
          scheme: 'basic',
          description: 'The id and the secret of a service account.',
        },
      },
    },
  }
}

/** The alternatives of each kind of authentication. `{}` allows a request without a header or cookie. */
const SECURITY: Readonly<Record<RouteDescription['authentication'], readonly Json[]>> = {
  none: [],
  session: [{ accessToken: [] }, { accessCookie: [] }],
  refresh_cookie: [{ refreshCookie: [] }],
  session_or_cookie: [{ accessToken: [] }, { refreshCookie: [] }, {}],
  page_cookies: [{ accessCookie: [] }, { refreshCookie: [] }],
  client: [{ serviceAccount: [] }, {}],
  guard: [{ serviceAccount: [] }],
}

function operationOf(row: RouteDescription): Json {
  const parameters = parametersOf(row)
  const text = [row.description, `Callers: ${accessText(row)}`, row.feature?.requires]
  return {
    operationId: row.id,
    tags: [row.tag],
    summary: row.summary,
    description: text.filter((each) => each !== undefined).join('\n\n'),
    security: SECURITY[row.authentication],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(row.body === undefined ? {} : { requestBody: requestBodyOf(row.body) }),
    responses: responsesOf(answersOf(row)),
  }
}

function requestBodyOf({
  schema,
  media,
  isOptional,
  example,
}: NonNullable<RouteDescription['body']>): Json {
  const content = { schema: inputSchema(schema()), example }
  return {
    required: isOptional !== true,
    content: Object.fromEntries(media.map((each) => [each, content])),
  }
}

function parametersOf(row: RouteDescription): readonly Json[] {
  const listed = (place: 'path' | 'query', make: RouteDescription['query']): readonly Json[] =>
    make === undefined
      ? []
      : propertiesOf(inputSchema(make())).map(({ name, schema, isRequired }) => {
          const { description, ...rest } = schema
          return { name, in: place, required: isRequired, description, schema: rest }
        })
  return [
    ...listed('path', row.params),
    ...listed('query', row.query),
    ...(row.revokes ? [WAIT] : []),
    ...(row.csrf === 'cookie' || row.csrf === 'always' ? [csrfParameter(row)] : []),
  ]
}

const WAIT: Json = {
  name: 'wait',
  in: 'query',
  required: false,
  description:
    'With `effective`, the answer waits until the revocation is in force at every guard. It is then 200 and has the member `effective`. A request that revokes nothing is answered at once, without it.',
  schema: { const: 'effective' },
}

function csrfParameter(row: RouteDescription): Json {
  return {
    name: 'X-CSRF-Token',
    in: 'header',
    required: false,
    description: aboutCsrf(row),
    schema: { type: 'string' },
  }
}

/** Returns one response for each status. A response can have several media types. */
function responsesOf(answers: readonly DocumentedAnswer[]): Json {
  const responses: Record<string, Json> = {}
  for (const [status, group] of groupByStatus(answers)) {
    const content: Record<string, Json> = {}
    for (const { media, schema, example } of group) {
      if (media === undefined) continue
      content[media] = {
        ...(schema === undefined ? {} : { schema }),
        ...(example === undefined ? {} : { example }),
      }
    }
    responses[status] = {
      description: group.map(({ description }) => description).join('\n\n'),
      ...(RETRIED.has(status) ? { headers: RETRY_AFTER } : {}),
      ...(Object.keys(content).length === 0 ? {} : { content }),
      // OpenAPI cannot express that a response body is optional.
      ...(group.some(({ isBodyOptional }) => isBodyOptional) ? { 'x-body-optional': true } : {}),
    }
  }
  return responses
}

const RETRIED: ReadonlySet<number> = new Set([429, 503])
const RETRY_AFTER: Json = {
  'Retry-After': {
    description: 'How many seconds to wait before the next attempt.',
    schema: { type: 'integer', minimum: 1 },
  },
}

function groupByStatus(answers: readonly DocumentedAnswer[]): Map<number, DocumentedAnswer[]> {
  const groups = new Map<number, DocumentedAnswer[]>()
  for (const answer of answers) {
    groups.set(answer.status, [...(groups.get(answer.status) ?? []), answer])
  }
  return groups
}
