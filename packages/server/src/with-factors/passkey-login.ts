import { authenticationOptions, type AuthenticationOptions } from '../factors/passkeys/options.ts'
import { readAssertion } from '../factors/passkeys/responses.ts'
import { countTry } from '../sessions/count-try.ts'
import { identify } from '../sessions/identify.ts'
import { openSession, type SignedIn } from '../sessions/open-session.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import { openChallenge } from './challenges.ts'
import { checkAssertion, writePasskeyChallenge, type PasskeyAsked } from './passkeys.ts'
import type { FactorServices } from './services.ts'

/**
 * Asks for any passkey, for a log-in with a passkey alone. The answer is the same for everybody, so it reveals no
 * account. It also serves the autofill of the page.
 */
export async function askForAnyPasskey(
  services: FactorServices,
  caller: Caller,
): Promise<PasskeyAsked<AuthenticationOptions> | Refusal> {
  const { relyingParty, sessions } = services
  if (relyingParty === undefined) return refuse('passkeys_off')
  const throttled = await countTry(sessions, sessions.throttle.challengesOf(caller.address))
  if (throttled !== undefined) return throttled
  const anybody = { subject: '', accountId: undefined } as const
  const { id, bytes } = await writePasskeyChallenge(services, 'passkey_login', anybody, caller)
  const options = authenticationOptions({
    rpId: relyingParty.id,
    allow: 'discoverable',
    challenge: bytes,
    userVerification: 'required',
  })
  return { ok: true, challenge: id, options }
}

/** Logs in with the answer to {@link askForAnyPasskey}. A passkey is two factors, so nothing else is asked for. */
export async function logInByPasskey(
  services: FactorServices,
  given: {
    readonly challenge: string
    readonly response: unknown
    readonly tenant?: string | undefined
    readonly forCookies: boolean
  },
  caller: Caller,
): Promise<SignedIn | Refusal> {
  const { sessions } = services
  const { store } = sessions
  const position = (await store.revocations.head()).position
  const challenge = await store.factors.takeChallenge(given.challenge, 'passkey_login', '')
  const details = challenge && openChallenge(services, challenge)
  if (details === undefined) return refuse('challenge_void')
  const credentialId = readAssertion(given.response)?.credentialId
  const found =
    credentialId === undefined ? undefined : await store.factors.findPasskey(credentialId)
  // An id of its own: the page tells the password manager to forget this passkey. Nobody can guess the id of another one.
  if (found === undefined) {
    return refuse(credentialId === undefined ? 'passkey_refused' : 'passkey_unknown')
  }
  const { accountId, factor: passkey } = found
  const { response } = given
  const proven = await checkAssertion(services, { accountId, passkey }, details, caller, {
    response,
    isDiscoverable: true,
  })
  if (!proven.ok) return proven
  const wishes = { tenantName: given.tenant, address: caller.address }
  const opened = await openSession(sessions, {
    candidate: await identify(sessions, { accountId }, wishes),
    proofs: [proven.proof],
    caller,
    forCookies: given.forCookies,
    position,
    uses: { ticketId: undefined, use: proven.use },
  })
  if (typeof opened !== 'string') return opened
  return refuse(opened === 'tenant_forbidden' ? opened : 'credentials_invalid')
}
