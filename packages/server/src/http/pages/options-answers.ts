import { z } from 'zod'

import { lazy } from '../router/lazy.ts'
import type { Answer } from '../router/route.ts'

const options = lazy(() => z.object({ challenge: z.string(), options: z.looseObject({}) }))

const problem = lazy(() =>
  z.looseObject({ status: z.int(), title: z.string(), code: z.string(), detail: z.string() }),
)

function refusal(status: number): Answer {
  return {
    status,
    description: 'The options of a passkey cannot be given. The body says why.',
    media: 'application/problem+json',
    schema: problem(),
    example: {
      type: 'about:blank',
      status,
      title: 'Conflict',
      code: 'passkeys_off',
      detail: '...',
    },
  }
}

/** The answers of a form that also gives the options of a passkey to the script of its page. */
export function optionsAnswers(): readonly Answer[] {
  return [
    {
      status: 200,
      description: 'With `options`: the challenge and the options for the browser.',
      media: 'application/json',
      schema: options(),
      example: { challenge: '8Lr0jlbXlTn3vN0xkKqYIw', options: {} },
    },
    ...[400, 401, 409, 429].map(refusal),
  ]
}
