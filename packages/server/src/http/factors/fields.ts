import { z } from 'zod'

import { limits } from '../../base/limits.ts'
import { lazy } from '../router/lazy.ts'
import { sentText } from '../router/texts.ts'
import type { PresentedEnrolment } from '../../with-factors/enrol.ts'
import type { PresentedFactor } from '../../with-factors/prove-factor.ts'

/** The ticket of a sign-in that waits for its second factor. */
export const ticketField = lazy(() =>
  sentText().meta({ description: 'The ticket from the answer to the login.' }),
)

const challenge = lazy(() =>
  sentText().optional().meta({
    description:
      'The id of the challenge. Required for `passkey` and `mail`, and to enrol a factor.',
  }),
)

const response = lazy(() =>
  z.unknown().optional().meta({
    description:
      'For `passkey`: the credential that the browser returned, as JSON (`PublicKeyCredential.toJSON()`).',
  }),
)

const code = lazy(() =>
  sentText().optional().meta({
    description:
      'For `totp`: six digits. For `recovery_code` and `mail`: the letters, in any spelling.',
  }),
)

/** The fields with which a factor is presented. */
export function factorFields() {
  return {
    method: z.enum(['totp', 'passkey', 'recovery_code', 'mail']).meta({
      description: 'One of the methods that the answer before has listed.',
    }),
    code: code(),
    challenge: challenge(),
    response: response(),
  }
}

/** The fields with which a factor is enrolled. */
export function enrolmentFields() {
  return {
    challenge: sentText().meta({ description: 'The id of the challenge.' }),
    name: z.string().max(limits.factorNameCharsMax).optional().meta({
      description: 'A name by which the person recognises the factor.',
    }),
  }
}

/** The factor that a body names. The fields are not yet compared with those that the method needs. */
export interface SentFactor {
  readonly method: PresentedFactor['method']
  readonly code?: string | undefined
  readonly challenge?: string | undefined
  readonly response?: unknown
  readonly name?: string | undefined
}

/** Reads the factor of a body. Undefined if a field is missing that the method needs. */
export function readFactor({
  method,
  code: sent,
  challenge: id,
  response: given,
}: SentFactor): PresentedFactor | undefined {
  switch (method) {
    case 'totp':
    case 'recovery_code':
      return sent === undefined ? undefined : { method, code: sent }
    case 'mail':
      return sent === undefined || id === undefined
        ? undefined
        : { method, challenge: id, code: sent }
    case 'passkey':
      return given === undefined || id === undefined
        ? undefined
        : { method, challenge: id, response: readResponse(given) }
  }
}

/** Reads the factor that a body enrols. Undefined if a field is missing that the method needs. */
export function readEnrolment({
  method,
  code: sent,
  challenge: id,
  response: given,
  name,
}: SentFactor): PresentedEnrolment | undefined {
  if (id === undefined) return undefined
  if (method === 'totp') {
    return sent === undefined ? undefined : { method, challenge: id, code: sent, name }
  }
  return method === 'passkey' && given !== undefined
    ? { method, challenge: id, response: readResponse(given), name }
    : undefined
}

/** Reads the credential of a body. Forms send it as JSON text. */
export function readResponse(given: unknown): unknown {
  if (typeof given !== 'string') return given
  try {
    return JSON.parse(given)
  } catch {
    return undefined // The text is not a credential, so the check of the credential refuses it.
  }
}
