import { verifyJws } from '@countersign/jwt'
import { z } from 'zod'

import { ID_TYP } from '../keys/ring.ts'
import type { SessionServices } from '../sessions/services.ts'

const schema = z.object({ iss: z.string(), sub: z.string(), aud: z.string(), sid: z.string() })

/** The claims of an ID token of this authority that comes back as a hint. */
export type IdHint = z.output<typeof schema>

/**
 * Reads an ID token that an application sends back as a hint. Its expiry does not matter: it names a person and a
 * session and gives no access (OpenID Connect RP-Initiated Logout 1.0 §2). Returns undefined for any other text.
 */
export function readIdHint({ ring, access }: SessionServices, token: string): IdHint | undefined {
  const verified = verifyJws(token, ring.publishedKeys, { typ: ID_TYP })
  if (!verified.ok) return undefined
  const claims = schema.safeParse(parse(Buffer.from(verified.payload).toString()))
  return claims.success && claims.data.iss === access.issuer ? claims.data : undefined
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
