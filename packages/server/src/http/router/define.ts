import type { z } from 'zod'

import { refusals as refusalTable, type RefusalCode } from '../../base/refusals.ts'
import type { Caller } from '../../sessions/services.ts'
import type { HttpServices } from '../services.ts'
import { anyone, type Gate } from './gate.ts'
import { parseBody, parseFields, parseQuery, type Parsed } from './parse.ts'
import type { Answerer, BodyRule, Feature, RefusalEntry, Route, RouteDescription } from './route.ts'
import { styles } from './styles.ts'

/** One row of the table of the HTTP API. */
export type ApiRoute = Route<HttpServices>

/** The input of a handler: everything that was parsed and authenticated before it. */
export interface Input<Who, Params, Query, Body> {
  readonly request: Request
  readonly caller: Caller
  readonly who: Who
  readonly params: Params
  readonly query: Query
  readonly body: Body
}

/** The parts of a row that its author writes. The rest of its description follows from them. */
export interface RouteSpec<Who, Params, Query, Body> extends Pick<
  RouteDescription,
  'id' | 'method' | 'path' | 'tag' | 'summary' | 'description' | 'style' | 'answers'
> {
  readonly gate: Gate<Who, Body>
  readonly isExact?: boolean
  readonly revokes?: boolean
  readonly hashes?: boolean
  readonly feature?: Feature
  readonly params?: () => z.ZodType<Params>
  readonly query?: () => z.ZodType<Query>
  readonly body?: BodyRule<Body>
  /** The refusals of the handler itself. */
  readonly refusals?: readonly (RefusalCode | RefusalEntry)[]
  /** Creates the handler once, when the application is created. */
  readonly handle: (
    services: HttpServices,
  ) => (input: Input<Who, Params, Query, Body>) => Response | Promise<Response>
}

const FORM_REFUSALS = [
  'text_malformed',
  'form_malformed',
  'form_duplicate_field',
  'body_too_large',
  'media_type_unsupported',
  'content_encoding_unsupported',
] as const satisfies readonly RefusalCode[]

/** The refusals that each body format can cause. */
export const BODY_REFUSALS: Readonly<Record<BodyRule['format'], readonly RefusalCode[]>> = {
  form: FORM_REFUSALS,
  fields: [
    ...FORM_REFUSALS,
    'json_malformed',
    'json_duplicate_member',
    'json_too_deep',
    'body_not_object',
    'fields_invalid',
  ],
  own: [],
}

/** The refusals of every route when the server fails. */
export const FAULTS = [
  'internal_error',
  'store_unavailable',
  'signer_unavailable',
  'accounts_unavailable',
] as const satisfies readonly RefusalCode[]

/**
 * Makes a row. The order of the steps is: query and path, gate, body, handler. A gate that needs the body
 * (`isAfterBody`) runs after the body.
 */
export function defineRoute<Who, Params = undefined, Query = undefined, Body = undefined>(
  spec: RouteSpec<Who, Params, Query, Body>,
): ApiRoute {
  const { gate } = spec
  return {
    id: spec.id,
    method: spec.method,
    path: spec.path,
    isExact: spec.isExact ?? false,
    tag: spec.tag,
    summary: spec.summary,
    description: spec.description,
    style: spec.style,
    authentication: gate.authentication,
    csrf: gate.csrf,
    permission: gate.permission,
    revokes: spec.revokes ?? false,
    hashes: spec.hashes ?? false,
    feature: spec.feature,
    kind: 'api',
    params: spec.params,
    query: spec.query,
    body: spec.body,
    answers: spec.answers,
    refusals: refusalsOf(spec),
    bind: (services) => bindSteps(spec, services),
  }
}

function refusalsOf<Who, Params, Query, Body>({
  gate,
  query,
  body,
  revokes,
  refusals = [],
}: RouteSpec<Who, Params, Query, Body>): RefusalEntry[] {
  const all: readonly (RefusalCode | RefusalEntry)[] = [
    ...refusals,
    ...gate.refusals,
    ...(query === undefined ? [] : (['fields_invalid'] as const)),
    ...(body === undefined ? [] : BODY_REFUSALS[body.format]),
    ...(revokes === true ? (['wait_invalid', 'wait_interrupted'] as const) : []),
    ...FAULTS,
  ]
  const entries = new Map<string, RefusalEntry>()
  for (const each of all) {
    const entry = typeof each === 'string' ? entryOf(each) : each
    entries.set(`${entry.code} ${entry.status}`, entry)
  }
  return [...entries.values()]
}

function entryOf(code: RefusalCode): RefusalEntry {
  const { status, text } = refusalTable[code]
  return { code, status, text }
}

function bindSteps<Who, Params, Query, Body>(
  spec: RouteSpec<Who, Params, Query, Body>,
  services: HttpServices,
): Answerer {
  const { gate, params, query, body } = spec
  const run = spec.handle(services)
  const { refuse } = styles[spec.style]
  const isParsed = body !== undefined && body.format !== 'own'

  // The SimpleJWT routes have no steps before their handler. Skipping the steps makes a refresh faster.
  if (gate === anyone && params === undefined && query === undefined && !isParsed) {
    const nothing = { who: undefined, params: undefined, query: undefined, body: undefined }
    // `anyone` returns undefined for `Who`, and without rules the other types are also undefined.
    const input = nothing as Pick<Input<Who, Params, Query, Body>, keyof typeof nothing>
    return (request, caller) => run({ request, caller, ...input })
  }
  return async (request, caller, rawParams) => {
    const path = params && parseFields(params(), Object.entries(rawParams))
    if (path?.ok === false) return refuse('not_found', request)
    const asked = query && parseQuery(query(), request.url)
    if (asked?.ok === false) return refuse(asked.code, request, asked.fields)

    // Without a body rule, `Body` is undefined, and so is the value. The same is true for the other two.
    let sent: Parsed<Body> = { ok: true, value: undefined as Body }
    if (gate.isAfterBody && isParsed) sent = await parseBody(request, body)
    if (!sent.ok) return refuse(sent.code, request, sent.fields)
    const entered = await gate.enter(services, {
      request,
      caller,
      body: sent.value,
      params: rawParams,
    })
    if (!entered.ok) return entered.response
    if (!gate.isAfterBody && isParsed) sent = await parseBody(request, body)
    if (!sent.ok) return refuse(sent.code, request, sent.fields)

    return run({
      request,
      caller,
      who: entered.who,
      params: path?.value as Params,
      query: asked?.value as Query,
      body: sent.value,
    })
  }
}
