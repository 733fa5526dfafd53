import { z } from 'zod'

import { refusals as refusalTable, type RefusalCode } from '../../base/refusals.ts'
import { oauthErrorOf } from '../oauth2/answers.ts'
import { titles } from '../problem.ts'
import { lazy } from '../router/lazy.ts'
import type { AnswerStyle, RefusalEntry, RouteDescription } from '../router/route.ts'
import { outputSchema, type Json } from './json-schema.ts'

/** One possible answer of a route: a status with one media type. */
export interface DocumentedAnswer {
  readonly status: number
  readonly description: string
  readonly media: string | undefined
  /** Undefined for HTML, files, and an answer without a body. */
  readonly schema: Json | undefined
  readonly example: unknown
  /** The refusals with this answer. Empty if the answer is not a refusal. */
  readonly refusals: readonly RefusalEntry[]
  /** Whether the body is missing without `?wait=effective`. */
  readonly isBodyOptional: boolean
}

/**
 * Returns all answers of a route, by status: the answers of the row, and its refusals in the route's style.
 */
export function answersOf(row: RouteDescription): readonly DocumentedAnswer[] {
  const own = row.answers().map(
    (answer): DocumentedAnswer => ({
      status: answer.status,
      description: answer.description,
      media: answer.media,
      schema: answer.schema && outputSchema(answer.schema),
      example: answer.example,
      refusals: [],
      isBodyOptional: false,
    }),
  )
  const withWaits = row.revokes ? withEffective(own) : own
  return [...withWaits, ...refusalAnswers(row)].toSorted((a, b) => a.status - b.status)
}

const effective = lazy(() =>
  outputSchema(
    z
      .object({
        position: z.int().meta({ description: 'The position in the revocation log.' }),
        ms: z.int().meta({ description: 'How long it took, in milliseconds.' }),
        guards: z.int().meta({ description: 'How many guards held a lease.' }),
        confirmed: z.int().meta({ description: 'How many of them confirmed the revocation.' }),
        expired: z.int().meta({ description: 'How many of them lost their lease instead.' }),
      })
      .meta({ description: 'Present with `?wait=effective`.' }),
  ),
)
const EFFECTIVE_EXAMPLE = { position: 12, ms: 38, guards: 3, confirmed: 3, expired: 0 }

/** With `?wait=effective`, every success is 200 with `effective` in its body. */
function withEffective(answers: readonly DocumentedAnswer[]): readonly DocumentedAnswer[] {
  const bodies = answers.filter(({ status, schema }) => status === 200 && schema !== undefined)
  const others = answers.filter((answer) => !bodies.includes(answer))
  const alone = { type: 'object', required: ['effective'], additionalProperties: false }
  const properties = { effective: effective() }
  const schemas = [
    ...bodies.map(({ schema = {} }) => ({
      ...schema,
      properties: { ...(schema['properties'] as Json), ...properties },
    })),
    ...(others.length === 0 ? [] : [{ ...alone, properties }]),
  ]
  const [first, second] = schemas
  const isEmpty200 = others.some(({ status }) => status === 200)
  return [
    ...others.filter(({ status }) => status !== 200),
    {
      status: 200,
      description:
        (bodies[0] ?? others.find(({ status }) => status === 200))?.description ?? WAITED,
      media: 'application/json',
      schema: second === undefined ? first : { anyOf: schemas },
      example: bodies[0]?.example ?? { effective: EFFECTIVE_EXAMPLE },
      refusals: [],
      isBodyOptional: isEmpty200,
    },
  ]
}

const WAITED = 'Done, and in force at every guard (`?wait=effective`).'

/**
 * Returns the refusals, with one answer for each status and style. SimpleJWT's errors are answers of the
 * rows.
 */
function refusalAnswers({ refusals, style }: RouteDescription): readonly DocumentedAnswer[] {
  const groups = new Map<string, { style: AnswerStyle; entries: RefusalEntry[] }>()
  for (const entry of refusals) {
    // The router itself answers these, always as a problem document.
    const isOfRouter = entry.code === 'wait_invalid' || entry.code === 'wait_interrupted'
    const entryStyle = isOfRouter ? 'problem' : style
    if (entryStyle === 'contract') continue
    const key = `${entry.status} ${entryStyle}`
    const group = groups.get(key) ?? { style: entryStyle, entries: [] }
    group.entries.push(entry)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ style: form, entries }) => {
    if (form === 'html') return pageAnswer(entries)
    return form === 'oauth' ? oauthAnswer(entries) : problemAnswer(entries)
  })
}

/** A page that shows the refusal. Programs recognise it by its status. */
function pageAnswer(entries: readonly RefusalEntry[]): DocumentedAnswer {
  return {
    status: entries[0]?.status ?? 0,
    description: describe(entries),
    media: 'text/html',
    schema: undefined,
    example: undefined,
    refusals: entries,
    isBodyOptional: false,
  }
}

function describe(entries: readonly RefusalEntry[]): string {
  return entries.map(({ code, text }) => `\`${code}\`: ${text}`).join('\n\n')
}

function problemAnswer(entries: readonly RefusalEntry[]): DocumentedAnswer {
  const status = entries[0]?.status ?? 0
  const title = titles[status] ?? ''
  const hasFields = entries.some(({ code }) => code === 'fields_invalid')
  const fields = { type: 'array', items: { type: 'string' }, description: 'The wrong fields.' }
  return {
    status,
    description: describe(entries),
    media: 'application/problem+json',
    schema: {
      type: 'object',
      properties: {
        type: { const: 'about:blank' },
        title: { const: title },
        status: { const: status },
        detail: { type: 'string', description: 'What happened, as a sentence for people.' },
        code: {
          enum: entries.map(({ code }) => code),
          description: 'What happened, as a stable code for programs.',
        },
        ...(hasFields ? { fields } : {}),
      },
      required: ['type', 'title', 'status', 'detail', 'code'],
      additionalProperties: false,
    },
    example: {
      type: 'about:blank',
      title,
      status,
      detail: entries[0]?.text,
      code: entries[0]?.code,
    },
    refusals: entries,
    isBodyOptional: false,
  }
}

function oauthAnswer(entries: readonly RefusalEntry[]): DocumentedAnswer {
  const errors = entries.map(({ code }) => (isRefusalCode(code) ? oauthErrorOf(code) : code))
  return {
    status: entries[0]?.status ?? 0,
    description: describe(entries),
    media: 'application/json',
    schema: {
      type: 'object',
      properties: { error: { enum: [...new Set(errors)] }, error_description: { type: 'string' } },
      required: ['error', 'error_description'],
      additionalProperties: false,
    },
    example: { error: errors[0], error_description: entries[0]?.text },
    refusals: entries,
    isBodyOptional: false,
  }
}

function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(refusalTable, code)
}
