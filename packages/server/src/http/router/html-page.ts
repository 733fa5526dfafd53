import type { z } from 'zod'

import type { RefusalCode } from '../../base/refusals.ts'
import type { HttpServices } from '../services.ts'
import { defineRoute, type ApiRoute, type Input } from './define.ts'
import type { Gate } from './gate.ts'
import type { Answer, Feature, RouteDescription } from './route.ts'

interface HtmlSpec extends Pick<
  RouteDescription,
  'id' | 'path' | 'tag' | 'summary' | 'description'
> {
  readonly feature: Feature
  readonly refusals: readonly RefusalCode[]
}

/** A page that is rendered for each request. It changes nothing: programs open every link that they see. */
export interface HtmlPageSpec<Who, Query> extends HtmlSpec {
  readonly gate: Gate<Who>
  readonly query: () => z.ZodType<Query>
  /** All answers besides refusals. By default the page. */
  readonly answers?: readonly Answer[]
  readonly render: (
    services: HttpServices,
    input: Input<Who, undefined, Query, undefined>,
  ) => Promise<Response>
}

/** Makes the row of a page that is rendered for each request. Its errors are pages too. */
export function defineHtmlPage<Who, Query>({
  render,
  answers = [PAGE],
  ...about
}: HtmlPageSpec<Who, Query>): ApiRoute {
  const row = defineRoute<Who, undefined, Query>({
    ...about,
    method: 'GET',
    isExact: false,
    style: 'html',
    answers: () => answers,
    handle: (services) => (input) => render(services, input),
  })
  return { ...row, kind: 'page' }
}

/** A form of a page. */
export interface HtmlFormSpec<Who, Query, Body> extends HtmlSpec {
  readonly gate: Gate<Who, Body>
  readonly query: () => z.ZodType<Query>
  readonly fields: () => z.ZodType<Body>
  readonly example: Readonly<Record<string, string>>
  /** Whether the form hashes a password. */
  readonly hashes: boolean
  /** All answers besides refusals. */
  readonly answers: readonly Answer[]
  readonly submit: (
    services: HttpServices,
    input: Input<Who, undefined, Query, Body>,
  ) => Promise<Response>
}

/** Makes the row of a form: it takes what browsers send without scripts, and answers with a page. */
export function defineHtmlForm<Who, Query, Body>({
  submit,
  fields,
  example,
  answers,
  ...about
}: HtmlFormSpec<Who, Query, Body>): ApiRoute {
  const row = defineRoute<Who, undefined, Query, Body>({
    ...about,
    method: 'POST',
    isExact: false,
    style: 'html',
    body: { format: 'form', media: ['application/x-www-form-urlencoded'], schema: fields, example },
    answers: () => answers,
    handle: (services) => (input) => submit(services, input),
  })
  return { ...row, kind: 'page' }
}

/** The answer with a page. */
export const PAGE: Answer = { status: 200, description: 'The page.', media: 'text/html' }
