import type { Provider } from 'oidc-provider'
import { z } from 'zod'

import type { Allowed } from '../consent.ts'
import type { SignInParameters } from '../decide-sign-in.ts'
import { readResult, type InteractionResult } from './results.ts'

/** A request of an application that waits for a person. */
export interface WaitingInteraction {
  /** The step that the person must take. */
  readonly kind: 'login' | 'consent'
  readonly applicationId: string
  readonly parameters: SignInParameters & { readonly redirect_uri?: string | undefined }
  /** When the request began, if a sign-in is needed. */
  readonly startedAt: number | undefined
  /** The wanted scopes and resources, with the kind `consent`. */
  readonly wanted: Allowed
  readonly result: InteractionResult
}

/** How an interaction ends: with what the page found out, or with an error for the application. */
export type InteractionEnd =
  | Partial<InteractionResult>
  | { readonly error: string; readonly error_description: string }

/** The requests that wait for a person. */
export interface Interactions {
  find(uid: string): Promise<WaitingInteraction | undefined>
  /** Ends an interaction. Returns the path at which the request goes on. Undefined if it has expired meanwhile. */
  finish(uid: string, end: InteractionEnd): Promise<string | undefined>
}

const text = z.string().optional().catch(undefined)
const parametersSchema = z.object({
  prompt: text,
  max_age: z.coerce.string().optional().catch(undefined),
  acr_values: text,
  claims: text,
  id_token_hint: text,
  redirect_uri: text,
})
const texts = z.array(z.string()).catch([])
const detailsSchema = z.object({
  startedAt: z.number().optional().catch(undefined),
  scopes: texts,
  resources: texts,
})

/** Creates the interactions of the library, as our pages see them. */
export function createInteractions({ Interaction }: Provider): Interactions {
  return {
    async find(uid) {
      const found = await Interaction.find(uid)
      if (found === undefined) return undefined
      const { params, prompt, lastSubmission } = found
      const { startedAt, scopes, resources } = detailsSchema.parse(prompt.details)
      const result = readResult(lastSubmission)
      return {
        kind: prompt.name === 'consent' ? 'consent' : 'login',
        applicationId: String(params['client_id']),
        parameters: parametersSchema.parse(params),
        startedAt: startedAt ?? result.startedAt,
        wanted: { scopes, resources },
        result,
      }
    },

    async finish(uid, end) {
      const found = await Interaction.find(uid)
      if (found?.exp === undefined) return undefined
      found.result = 'error' in end ? end : { ...found.lastSubmission, ...end }
      await found.save(Math.max(1, found.exp - Math.floor(Date.now() / 1000)))
      return new URL(found.returnTo).pathname
    },
  }
}
