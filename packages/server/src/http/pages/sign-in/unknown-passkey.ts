import { readAssertion } from '../../../factors/passkeys/responses.ts'
import type { Refusal } from '../../../sessions/services.ts'
import type { HttpServices } from '../../services.ts'

/** A passkey that this server does not know: for `PublicKeyCredential.signalUnknownCredential`. */
export interface UnknownPasskey {
  readonly rpId: string
  readonly credentialId: string
}

const REFUSED: ReadonlySet<string> = new Set(['passkey_refused', 'passkey_unknown'])

/**
 * Returns the passkey of a refused form if the server does not know it, so that password managers stop offering it. A
 * passkey that was refused for another reason must stay.
 */
export async function unknownPasskey(
  { factors: { relyingParty, sessions } }: HttpServices,
  { code }: Refusal,
  response: string | undefined,
): Promise<UnknownPasskey | undefined> {
  if (!REFUSED.has(code) || relyingParty === undefined) return undefined
  const credentialId = readAssertion(parse(response))?.credentialId
  if (credentialId === undefined) return undefined
  const found = await sessions.store.factors.findPasskey(credentialId)
  return found === undefined ? { rpId: relyingParty.id, credentialId } : undefined
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
