import { browser } from './browser.ts'

/** The passkeys that an account has, as the authority names them. */
export interface AcceptedPasskeys {
  readonly rp_id: string
  readonly user_id: string
  readonly credential_ids: readonly string[]
}

/** Tells password managers that no account has a passkey any more, so that they stop offering it. Never fails. */
export async function signalUnknown(options: unknown, response: unknown): Promise<void> {
  // The options of the ceremony, and what the browser returned.
  const { rpId } = options as { readonly rpId: string }
  const { id: credentialId } = response as { readonly id: string }
  await browser()
    .PublicKeyCredential?.signalUnknownCredential?.({ rpId, credentialId })
    .catch(() => {})
}

/** Tells password managers which passkeys an account has, so that they remove the others. Never fails. */
export async function signalAccepted({
  rp_id: rpId,
  user_id: userId,
  credential_ids: allAcceptedCredentialIds,
}: AcceptedPasskeys): Promise<void> {
  await browser()
    .PublicKeyCredential?.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds })
    .catch(() => {})
}
