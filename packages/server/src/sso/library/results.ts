import { z } from 'zod'

/** The results of our pages for one interaction. Only the pages write them. */
export interface InteractionResult {
  /** When the request began, once a sign-in was enough for it. */
  readonly startedAt: number | undefined
  /** Whether the person has no proof of the class that the application would like. */
  readonly isWeakAccepted: boolean
  /** Whether the person has just chosen with which account to log in. */
  readonly isAccountChosen: boolean
  /** The account that has just allowed what the application wants. */
  readonly consentOf: string | undefined
}

const schema = z.object({
  startedAt: z.number().optional().catch(undefined),
  isWeakAccepted: z.boolean().catch(false),
  isAccountChosen: z.boolean().catch(false),
  consentOf: z.string().optional().catch(undefined),
})

/** Reads the result of the interactions of a request. */
export function readResult(result: unknown): InteractionResult {
  const { startedAt, isWeakAccepted, isAccountChosen, consentOf } = schema.parse(result ?? {})
  return { startedAt, isWeakAccepted, isAccountChosen, consentOf }
}
