import { z } from 'zod'

/** The values that the browser's answer must have in both ceremonies. */
export interface Expected {
  readonly challenge: Uint8Array
  readonly rpId: string
  /** The origins whose pages may use passkeys, each exactly as browsers write it. */
  readonly origins: readonly string[]
}

/** Why the client data were refused. */
export type ClientDataReason =
  | 'malformed'
  | 'wrong_type'
  | 'wrong_challenge'
  | 'wrong_origin'
  | 'cross_origin'

const clientData = z.object({
  type: z.string(),
  challenge: z.string(),
  origin: z.string(),
  crossOrigin: z.boolean().optional(),
  topOrigin: z.unknown().optional(),
})

/**
 * Checks the client data, which the browser wrote and the authenticator signed (WebAuthn Level 3 §7.1 steps 7 to 12,
 * §7.2 steps 10 to 15). Returns undefined if they are as expected.
 *
 * A page of another origin that embeds the sign-in page could lead a person through a ceremony without seeing where
 * (§13.4.2). So `crossOrigin` and `topOrigin` are refused. The library ignores both at a registration, and accepts
 * `crossOrigin` without `topOrigin` at an authentication.
 */
export function checkClientData(
  encoded: string,
  type: 'webauthn.create' | 'webauthn.get',
  { challenge, origins }: Expected,
): ClientDataReason | undefined {
  const data = parseClientData(encoded)
  if (data === undefined) return 'malformed'
  if (data.type !== type) return 'wrong_type'
  if (data.challenge !== Buffer.from(challenge).toString('base64url')) return 'wrong_challenge'
  if (!origins.includes(data.origin)) return 'wrong_origin'
  if (data.crossOrigin === true || data.topOrigin !== undefined) return 'cross_origin'
  return undefined
}

function parseClientData(encoded: string): z.infer<typeof clientData> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(encoded, 'base64url'))
    return clientData.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
