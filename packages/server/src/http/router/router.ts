import { Hono, type Context } from 'hono'

import { limits } from '../../base/limits.ts'
import type { Caller } from '../../sessions/services.ts'
import type { Effective } from '../../sessions/wait-effective.ts'
import { whenEffective } from '../effective.ts'
import type { RequestContext } from '../services.ts'
import type { AnswerStyle, Answerer, RouteDescription } from './route.ts'
import { createLane, type Lane } from './lane.ts'
import { allowOf, spellingsOf } from './spellings.ts'
import { styles } from './styles.ts'

/** A row together with its handler. */
export interface BoundRoute {
  readonly row: RouteDescription
  readonly answer: Answerer
}

/** The services of the router. */
export interface RouterOptions {
  readonly callerOf: (request: Request, context: RequestContext | undefined) => Caller
  readonly waitUntilEffective: () => Promise<Effective>
  /** Adds the security headers to an answer. */
  readonly secure: (response: Response) => Response
  /** Makes the answer to an error that a handler threw, in the route's style. */
  readonly answerError: (error: unknown, request: Request, style: AnswerStyle) => Response
}

/** The router of a table: one function of a request. */
export type Router = (
  request: Request,
  context: RequestContext | undefined,
) => Response | Promise<Response>

/**
 * Builds the router from the rows of the table: handlers, 405 with `Allow`, OPTIONS, HEAD, the optional slash
 * after a path, `?wait=effective`, security headers and the style of errors.
 */
export function createRouter(bound: readonly BoundRoute[], options: RouterOptions): Router {
  const { secure, answerError } = options
  const hono = new Hono<{ Bindings: RequestContext }>()
  const lane = createLane(limits.hashesBegunPerTurn, limits.hashesBegunWaitMsMax)

  for (const group of groupByPath(bound)) {
    for (const { row, answer } of group) {
      const handler = handlerOf({ row, answer }, options, lane)
      for (const spelling of spellingsOf(row)) hono.on(row.method, spelling, handler)
    }
    closePath(
      hono,
      group.map(({ row }) => row),
      secure,
    )
  }
  hono.notFound((c) => secure(styles.problem.refuse('not_found', c.req.raw)))
  hono.onError((error, c) => secure(answerError(error, c.req.raw, 'problem')))
  return (request, context) => hono.fetch(request, context ?? {})
}

/** Runs one row for a request of Hono. */
function handlerOf(
  { row, answer }: BoundRoute,
  { callerOf, secure, answerError, waitUntilEffective }: RouterOptions,
  lane: Lane,
): (c: Context<{ Bindings: RequestContext }>) => Promise<Response> {
  const { isSecured } = styles[row.style]
  const hasParams = row.path.includes('{')
  return async (c) => {
    const { raw } = c.req
    try {
      const turn = row.hashes ? lane.enter() : undefined
      if (turn !== undefined && !(await turn))
        return secure(styles[row.style].refuse('password_queue_full', raw))
      const caller = callerOf(raw, c.env)
      const params = hasParams ? c.req.param() : NO_PARAMS
      const response = row.revokes
        ? await whenEffective(waitUntilEffective, raw, () => answer(raw, caller, params))
        : await answer(raw, caller, params)
      return isSecured ? secure(response) : response
    } catch (error) {
      return secure(answerError(error, raw, row.style))
    }
  }
}

const NO_PARAMS = {}

/** Groups the rows by path, in the order of the table. The first path that matches a request answers it. */
function groupByPath(bound: readonly BoundRoute[]): BoundRoute[][] {
  const groups = new Map<string, BoundRoute[]>()
  for (const each of bound) {
    const group = groups.get(each.row.path)
    if (group === undefined) groups.set(each.row.path, [each])
    else group.push(each)
  }
  return [...groups.values()]
}

/** Answers requests for methods that a path does not have. */
function closePath(
  hono: Hono<{ Bindings: RequestContext }>,
  rows: readonly RouteDescription[],
  secure: RouterOptions['secure'],
): void {
  const [first] = rows
  if (first === undefined) return
  const { answersOptions, refuseMethod, isSecured } = styles[first.style]
  const allow = allowOf(rows, answersOptions)
  for (const spelling of spellingsOf(first)) {
    if (answersOptions) {
      hono.options(spelling, () => new Response(null, { status: 204, headers: { allow } }))
    }
    hono.all(spelling, (c) => {
      const response = refuseMethod(c.req.raw, allow)
      return isSecured ? secure(response) : response
    })
  }
}
