import { z } from 'zod'

import { limits } from '../../base/limits.ts'

/** The parameter of every page for its language. */
export const lang = z
  .string()
  .optional()
  .meta({ description: 'The language: `en` or `de`. Without it, that of the browser.' })

/** The parameter and field for the address to which people go in the end. */
export const returnTo = z.string().optional().meta({
  description:
    'Where the person goes in the end: a path of this server, or a URL of an origin in `COUNTERSIGN_ORIGINS`. Any other value is ignored.',
})

/** The fields with which a page sends the proof of a factor. */
export function methodFields() {
  return {
    method: text('The way that the person has chosen.'),
    totp: text('For `totp`: the six digits.'),
    recovery_code: text('For `recovery_code`: the letters, in any spelling.'),
    code: text('For `mail`: the letters, in any spelling.'),
    challenge: text('The id of the challenge.'),
    response: text('For `passkey`: the credential that the browser returned, as JSON.'),
    send: text('With any value, a mail with a code is sent.'),
    options: text('With any value, the answer is the options of a passkey, as JSON.'),
  }
}

/** The field for the name of a factor. */
export function factorName() {
  return z.string().max(limits.factorNameCharsMax).optional().meta({
    description: 'A name by which the person recognises the factor.',
  })
}

function text(description: string) {
  return z.string().optional().meta({ description })
}
