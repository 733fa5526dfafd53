import { refusals, type RefusalCode } from '../../packages/server/src/base/refusals.ts'
import { oauthErrorOf } from '../../packages/server/src/http/oauth2/answers.ts'
import { answersOf, type DocumentedAnswer } from '../../packages/server/src/http/openapi/answers.ts'
import {
  inputSchema,
  propertiesOf,
  type Json,
} from '../../packages/server/src/http/openapi/json-schema.ts'
import { aboutCsrf, accessText } from '../../packages/server/src/http/openapi/texts.ts'
import { BODY_REFUSALS, FAULTS } from '../../packages/server/src/http/router/define.ts'
import type { RouteDescription } from '../../packages/server/src/http/router/route.ts'
import { routes } from '../../packages/server/src/http/routes.ts'

/** docs/reference/http.md, from the route table of the server. */

const INTRO = `# HTTP API

<!-- Generated from the route table by \`npm run generate\`. Do not edit. -->

This page lists every path that the authority answers. The same facts are at \`/openapi.json\` (OpenAPI 3.1). At
\`/docs\` you can read and try them in a browser.

## Rules for all routes

- **Paths.** Paths below \`/api/token\`, \`/auth\` and \`/oauth2\` are answered with and without a trailing
  slash. All other paths are exact. A path with a percent-escape gets 404.
- **Methods.** HEAD works on every path that has GET. Any other method gets 405, and \`Allow\` names the methods
  of the path.
- **Bodies.** JSON, \`application/x-www-form-urlencoded\` and \`multipart/form-data\` are accepted below
  \`/api/token\` and \`/auth\`; only \`application/x-www-form-urlencoded\` below \`/oauth2\`. A body has at
  most 16 KiB, is not compressed, and names each field once. Unknown fields are ignored.
- **Errors** are problem documents (RFC 9457, \`application/problem+json\`) with a stable \`code\`. Errors of
  the routes \`/api/token/\` and below have the form of SimpleJWT, also for a wrong method. Errors of the routes
  below \`/oauth2\` have the form of RFC 6749 §5.2. Three errors are problem documents there too: an
  unknown path, a wrong value of \`wait\` and, below \`/oauth2\`, a wrong method. [errors.md](errors.md) lists all codes.
- **Pages.** The pages below \`/account\` take forms of the server's own pages, and their errors are pages too,
  with the same status. [Account pages](../guides/account-pages.md) describes them.
- **Retries.** 429 and 503 carry \`Retry-After\` in seconds.
- **CSRF token.** Get it from \`GET /auth/csrf\` or from the answer to a login, and send it as
  \`X-CSRF-Token\` (or as Django's \`X-CSRFToken\`). "A page of an allowed origin" is a page of the public
  URL or of an origin in \`COUNTERSIGN_ORIGINS\`.
- **\`?wait=effective\`** on a route that revokes: the answer comes when the revocation is in force at
  every guard. It is 200 and has the member \`effective\`. A request that revokes nothing is answered at
  once, without that member. If the server stops first, the answer is 503 \`wait_interrupted\`. Any other
  value of \`wait\` gets 400 \`wait_invalid\`.

The examples use the public URL \`https://auth.example.com\`.

## Errors of all routes

Any route can answer with these errors. The tables of the routes omit them.

${errorTable([...FAULTS, 'not_found', 'method_not_allowed'])}

Every route that takes a body can also answer with these errors, except below \`/api/token\`. A form cannot have the errors
of JSON. Below \`/oauth2\` the errors are \`invalid_request\`.

${errorTable(BODY_REFUSALS.fields)}
`

/** Renders the reference of all routes, including those whose feature is off by default. */
export function renderHttpReference(): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))]
  const parts = tags.map((tag) => {
    const rows = routes.filter((row) => row.tag === tag)
    return [`## ${tag}`, overview(rows), ...rows.filter(isWorthAPart).map(renderRoute)].join('\n\n')
  })
  return `${[INTRO.trimEnd(), ...parts].join('\n\n')}\n`
}

/** A file of the interactive page needs only its line in the overview. */
function isWorthAPart({ kind }: RouteDescription): boolean {
  return kind !== 'asset'
}

function overview(rows: readonly RouteDescription[]): string {
  return table(
    ['Route', 'What it does'],
    rows.map((row) => [`\`${row.method} ${row.path}\``, row.summary]),
  )
}

function renderRoute(row: RouteDescription): string {
  const answers = answersOf(row)
  const parts = [
    `### ${row.method} ${row.path}`,
    `${row.summary}. ${row.description}`,
    facts(row),
    parameters(row),
    body(row),
    table(
      ['Status', 'Meaning'],
      answers.filter((answer) => answer.refusals.length === 0).map(answerCells),
    ),
    answerFields(answers),
    errors(row, answers),
    example(row, answers),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function facts(row: RouteDescription): string {
  const lines = [
    row.feature === undefined ? undefined : `- **When:** ${row.feature.requires}`,
    `- **Callers:** ${accessText(row)}`,
    row.csrf === 'none' ? undefined : `- **CSRF:** ${aboutCsrf(row)}`,
    row.revokes ? '- **Revokes:** takes `?wait=effective`.' : undefined,
  ]
  return lines.filter((line) => line !== undefined).join('\n')
}

function parameters({ params, query }: RouteDescription): string {
  const rows = [params, query].flatMap((make, at) =>
    make === undefined
      ? []
      : propertiesOf(inputSchema(make())).map(({ name, schema, isRequired }) => [
          `\`${name}\``,
          at === 0 ? 'path' : 'query',
          isRequired ? 'yes' : 'no',
          descriptionOf(schema),
        ]),
  )
  return rows.length === 0 ? '' : table(['Parameter', 'In', 'Required', 'Meaning'], rows)
}

function body({ body: rule }: RouteDescription): string {
  if (rule === undefined) return ''
  const media = rule.media.map((each) => `\`${each}\``).join(', ')
  const optional = rule.isOptional === true ? ' The body may be left out.' : ''
  return [
    `Body: ${media}.${optional}`,
    table(
      ['Field', 'Type', 'Required', 'Meaning'],
      propertiesOf(inputSchema(rule.schema())).map(fieldCells),
    ),
  ].join('\n\n')
}

function fieldCells({
  name,
  schema,
  isRequired,
}: ReturnType<typeof propertiesOf>[number]): string[] {
  return [`\`${name}\``, typeText(schema), isRequired ? 'yes' : 'no', descriptionOf(schema)]
}

function descriptionOf({ description }: Json): string {
  return typeof description === 'string' ? description : ''
}

/** Returns a type in words: `string`, `string, not empty`, `array of string`, `"Bearer"`. */
function typeText(schema: Json): string {
  if ('const' in schema) return `\`${JSON.stringify(schema['const'])}\``
  if (schema['not'] !== undefined) return 'not allowed'
  const alternatives = schema['anyOf']
  // Zod writes a list of schemas in `anyOf`, and a schema in `items`.
  if (Array.isArray(alternatives)) return (alternatives as Json[]).map(typeText).join(' or ')
  if (schema['type'] === 'array') return `array of ${typeText((schema['items'] ?? {}) as Json)}`
  const type = typeof schema['type'] === 'string' ? schema['type'] : 'any value'
  return type === 'string' && schema['minLength'] === 1 ? 'string, not empty' : type
}

function answerCells({ status, media, description }: DocumentedAnswer): string[] {
  return [String(status), media === undefined ? description : `${description} \`${media}\``]
}

/** Returns the members of a successful answer. */
function answerFields(answers: readonly DocumentedAnswer[]): string {
  const success = answers.find(({ status, schema }) => status < 300 && schema !== undefined)
  const schema = success?.schema
  if (schema === undefined) return ''
  // If an answer has two forms, the first has the members of the route itself.
  const [first = schema] = (schema['anyOf'] ?? []) as readonly Json[]
  const fields = propertiesOf(first)
  if (fields.length === 0) return ''
  return table(['Member of the answer', 'Type', 'Always', 'Meaning'], fields.map(fieldCells))
}

/** Returns the refusals of a route, without those in the introduction. */
function errors(row: RouteDescription, answers: readonly DocumentedAnswer[]): string {
  const listed = new Set<string>([
    ...FAULTS,
    ...(row.body === undefined ? [] : BODY_REFUSALS[row.body.format]),
  ])
  const refused = answers
    .flatMap((answer) => answer.refusals)
    .filter(({ code }) => !listed.has(code))
  const isOAuth = row.style === 'oauth'
  return table(
    ['Status', isOAuth ? 'Error' : 'Code', 'What happened'],
    refused.map(({ status, code, text }) => [
      String(status),
      `\`${isOAuth ? oauthName(code) : code}\``,
      text,
    ]),
  )
}

function errorTable(codes: readonly RefusalCode[]): string {
  return table(
    ['Status', 'Code', 'What happened'],
    codes.map((code) => [String(refusals[code].status), `\`${code}\``, refusals[code].text]),
  )
}

/** Returns the `error` of RFC 6749. The codes of `wait` are kept: their answers are problem documents. */
function oauthName(code: string): string {
  if (code.startsWith('wait_') || !Object.hasOwn(refusals, code)) return code
  // `hasOwn` has just proved it.
  return oauthErrorOf(code as RefusalCode)
}

function example(row: RouteDescription, answers: readonly DocumentedAnswer[]): string {
  if (row.kind !== 'api') return ''
  const success = answers.find(({ status }) => status < 300)
  const answer =
    success === undefined
      ? []
      : success.schema === undefined
        ? [`HTTP ${success.status}`]
        : [`HTTP ${success.status}`, JSON.stringify(success.example, null, 2)]
  return ['```console', `$ ${curl(row)}`, ...answer, '```'].join('\n')
}

const CREDENTIALS: Readonly<Record<RouteDescription['authentication'], readonly string[]>> = {
  none: [],
  session: ["-H 'Authorization: Bearer ACCESS_TOKEN'"],
  refresh_cookie: ['-b cookies.txt'],
  session_or_cookie: ["-H 'Authorization: Bearer ACCESS_TOKEN'"],
  page_cookies: ['-b cookies.txt'],
  client: ["-u 'CLIENT_ID:SECRET'"],
  guard: ["-u 'CLIENT_ID:SECRET'"],
}

const PAGE = ["-H 'Origin: https://auth.example.com'", "-H 'X-CSRF-Token: TOKEN'"]

function curl(row: RouteDescription): string {
  const { method, path, body: rule, authentication, csrf, query } = row
  const isForm = rule?.format === 'form'
  const fields = Object.entries(rule?.example ?? {})
  const sent = isForm
    ? fields.map(([name, value]) => `-d '${name}=${String(value)}'`)
    : fields.length === 0
      ? []
      : ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(rule?.example)}'`]
  const search = query === undefined ? '' : '?guard=b3VyLW9yZGVycy1zZXJ2aWNl'
  const url = `https://auth.example.com${path.replace('{id}', '8Lr0jlbXlTn3vN0xkKqYIw')}${search}`
  const words = [
    'curl',
    ...(method === 'GET' || (method === 'POST' && sent.length > 0) ? [] : [`-X ${method}`]),
    search === '' ? url : `'${url}'`,
    ...CREDENTIALS[authentication],
    ...(csrf === 'always' ? PAGE : []),
    ...sent,
  ]
  return words.join(' \\\n    ').replace(' \\\n    ', ' ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
