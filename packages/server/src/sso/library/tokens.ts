import { Provider, type Context, type IdToken, type Token } from 'oidc-provider'

import { toEpochSec } from '../../base/clock.ts'
import type { AccessSigner } from '../../keys/foreign-signer.ts'
import { ID_TYP, perRingState } from '../../keys/ring.ts'
import { mintAccessToken } from '../../sessions/access-token.ts'
import type { SessionServices } from '../../sessions/services.ts'
import { readIdHint } from '../id-hints.ts'
import { neededAccountOf } from './accounts.ts'
import { applicationOf } from './clients.ts'
import { factsOf } from './facts.ts'
import { nextRefreshValue } from './refreshes.ts'

/** The life of an ID token. Applications check it when they get it. */
const ID_TOKEN_SEC = 3_600

/**
 * Replaces the tokens of the library by ours. So the access tokens of all logins come from one function, all keys stay
 * in the ring, and a new key signs without a restart.
 */
export function overrideTokens(provider: Provider, services: SessionServices): void {
  const { AccessToken, RefreshToken, IdToken, Session, Client } = provider
  const idSigner = perRingState(services.ring, (state) => state.signerFor(ID_TYP))
  AccessToken.prototype.getValueAndPayload = async function () {
    return { value: await mint(services, this) }
  }
  RefreshToken.prototype.generateTokenId = () => nextRefreshValue(services)
  IdToken.prototype.issue = async function ({ use }) {
    if (use !== 'idtoken') throw new TypeError(`Countersign signs no ${use} token here.`)
    return issueIdToken(services, idSigner(), this)
  }
  IdToken.validate = async (token, { clientId }) => ({
    payload: readIdToken(services, token, clientId),
  })
  // Each ID token names the session, for the logout.
  Client.prototype.includeSid = () => true
  Session.prototype.sidFor = function () {
    return this.accountId
  }
}

async function mint(services: SessionServices, token: Token): Promise<string> {
  const { ring, access, random, clock } = services
  const context = currentContext()
  const { state } = neededAccountOf(context)
  const { clientId, aud, scope, jkt } = token
  if (aud === undefined) throw new TypeError('The library has resolved no resource.')
  const { position = 0 } = factsOf(context)
  return mintAccessToken(ring.accessSigner, access, random, {
    session: state.session,
    account: state.account,
    // The application and the grant were read before the session, so the first position counts.
    position: Math.min(position, state.position),
    now: clock.nowMs(),
    jkt,
    application: { clientId, audience: aud, scope },
  })
}

async function issueIdToken(
  services: SessionServices,
  signer: AccessSigner,
  token: IdToken,
): Promise<string> {
  const { access, clock } = services
  const context = currentContext()
  const { session, account } = neededAccountOf(context).state
  const { clientId } = token.client
  // The library chooses the claims by scope. Its subject is the session.
  const chosen = await token.payload()
  const iat = toEpochSec(clock.nowMs())
  await noteLogin(services, token)
  return signer.sign({
    ...chosen,
    iss: access.issuer,
    sub: account.id,
    aud: clientId,
    iat,
    exp: iat + ID_TOKEN_SEC,
    auth_time: toEpochSec(session.authenticatedAt),
    amr: session.amr,
    ...(session.acr === undefined ? {} : { acr: session.acr }),
    sid: session.id,
  })
}

/** Remembers that the application must be told when the session ends. A refresh tells nothing new. */
async function noteLogin({ store }: SessionServices, { client }: IdToken): Promise<void> {
  const context = currentContext()
  if (applicationOf(client).registration.backchannelLogoutUri === undefined) return
  if (context.oidc.params['grant_type'] === 'refresh_token') return
  const { session, account } = neededAccountOf(context).state
  await store.sso.logouts.noteLogin({
    sessionId: session.id,
    applicationId: client.clientId,
    accountId: account.id,
    sid: session.id,
    createdAt: store.clock.nowMs(),
    expiresAt: session.endsAt,
  })
}

function currentContext(): Context {
  if (Provider.ctx === undefined) throw new TypeError('There is no request.')
  return Provider.ctx
}

function readIdToken(services: SessionServices, token: string, clientId: string): object {
  const read = readIdHint(services, token)
  if (read === undefined || read.aud !== clientId) {
    throw new TypeError('The hint is no ID token of this application.')
  }
  return read
}
