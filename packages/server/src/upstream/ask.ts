import { challengeOf, type UpstreamTransaction } from './transaction.ts'
import type { UpstreamProvider, UpstreamProfile } from './provider.ts'
import type { Connection } from './connections.ts'
import { readOpenidProfile } from './openid-profile.ts'
import { readPlainProfile } from './plain-profile.ts'
import type { UpstreamServices } from './services.ts'
import { whyFailed, type AskFailure } from './failure.ts'

/** The provider cannot be asked, or did not confirm who the person is. */
export interface NotConfirmed {
  readonly ok: false
  readonly code: AskFailure
}

/** Returns the URL at which the provider asks the person. */
export async function urlToAsk(
  services: UpstreamServices,
  provider: UpstreamProvider,
  { state, nonce, verifier }: UpstreamTransaction,
): Promise<{ readonly ok: true; readonly url: string } | NotConfirmed> {
  const connected = await connect(services, provider)
  if (!connected.ok) return connected
  const { library, configuration } = connected.connection
  const url = library.buildAuthorizationUrl(configuration, {
    redirect_uri: services.callbackUrlOf(provider.name),
    scope: provider.scopes.join(' '),
    state,
    code_challenge: challengeOf(verifier),
    code_challenge_method: 'S256',
    ...(provider.protocol.kind === 'openid' ? { nonce } : {}),
    ...(provider.answersByForm ? { response_mode: 'form_post' } : {}),
  })
  return { ok: true, url: url.href }
}

/**
 * Checks the answer of the provider and asks it who the person is. `answer` are the parameters of the callback. The
 * library checks `state`, `iss` (RFC 9207), the nonce, and signature, issuer, audience and times of the ID token.
 */
export async function askWho(
  services: UpstreamServices,
  provider: UpstreamProvider,
  transaction: UpstreamTransaction,
  answer: URLSearchParams,
): Promise<{ readonly ok: true; readonly profile: UpstreamProfile } | NotConfirmed> {
  const connected = await connect(services, provider)
  if (!connected.ok) return connected
  const { connection } = connected
  try {
    const url = new URL(`${services.callbackUrlOf(provider.name)}?${answer.toString()}`)
    const isOpenid = provider.protocol.kind === 'openid'
    const tokens = await connection.library.authorizationCodeGrant(connection.configuration, url, {
      expectedState: transaction.state,
      pkceCodeVerifier: transaction.verifier,
      ...(isOpenid ? { expectedNonce: transaction.nonce, idTokenExpected: true } : {}),
    })
    const profile = isOpenid
      ? await readOpenidProfile(connection, provider, tokens)
      : await readPlainProfile(connection, provider, tokens.access_token)
    return { ok: true, profile }
  } catch (error) {
    return failed(services, provider, error)
  }
}

async function connect(
  services: UpstreamServices,
  provider: UpstreamProvider,
): Promise<{ readonly ok: true; readonly connection: Connection } | NotConfirmed> {
  try {
    return { ok: true, connection: await services.connections.connect(provider) }
  } catch (error) {
    return failed(services, provider, error, 'upstream_unavailable')
  }
}

function failed(
  { report }: UpstreamServices,
  { name }: UpstreamProvider,
  error: unknown,
  instead?: AskFailure,
): NotConfirmed {
  const { code, reason } = whyFailed(error)
  report({ provider: name, reason })
  return { ok: false, code: instead ?? code }
}
