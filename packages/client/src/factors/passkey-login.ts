import type { ClientError } from '../error.ts'
import type { Client } from '../types.ts'
import { askAnonymously } from './ask.ts'
import { getPasskey } from './ceremony.ts'
import { signalUnknown } from './signals.ts'
import type { PasskeyLoginOptions, SignInStep } from './types.ts'

/** Logs in with a passkey alone. */
export async function loginWithPasskey(
  client: Pick<Client, 'authority' | 'logInAt'>,
  given: PasskeyLoginOptions = {},
): Promise<SignInStep> {
  const { tenant, autofill, signal } = given
  const { challenge, options } = await askAnonymously(client, '/auth/passkey/challenge', {})
  const response = await getPasskey(options, { signal, autofill })
  try {
    return await client.logInAt('/passkey', { challenge, response, tenant })
  } catch (error) {
    const { code } = error as ClientError
    if (code === 'passkey_unknown') await signalUnknown(options, response)
    // The page was open for longer than the challenge lives. The person has chosen a passkey, so ask for it at once.
    if (autofill && code === 'challenge_void') {
      return loginWithPasskey(client, { ...given, autofill: false })
    }
    throw error
  }
}
