import { ISSUER, type Answering, type Pair } from './authority.ts'
import { createAuthenticator, type Authenticator, type CreationOptions } from './authenticator.ts'
import { callWith } from './factors.ts'

/** Adds a passkey to the account of a session. Returns the authenticator that has it. */
export async function addPasskey(
  it: Answering,
  { access }: Pick<Pair, 'access'>,
  { rpId = 'localhost', origin = ISSUER } = {},
): Promise<Authenticator> {
  const authenticator = createAuthenticator({ rpId, origin })
  const begun = await callWith(it, access, 'POST', '/auth/factors/passkeys/challenge')
  if (begun.status !== 200) throw new Error(begun.text)
  const { challenge, options } = JSON.parse(begun.text) as {
    challenge: string
    options: CreationOptions
  }
  const response = authenticator.register(options)
  const added = await callWith(it, access, 'POST', '/auth/factors/passkeys', {
    challenge,
    response,
  })
  if (added.status !== 200) throw new Error(added.text)
  return authenticator
}
