import {
  createAccessTokenVerifier,
  explainAccessToken,
  type AccessTokenCheck,
  type AccessTokenReport,
  type AccessTokenVerifierOptions,
} from '@countersign/guard'
import { isPosition } from '@countersign/guard/revocations'
import {
  decodeUnverified,
  explainToken as explainJwt,
  refusals as jwtRefusals,
  type Refused,
} from '@countersign/jwt'

import { isOwnAccountId } from '../accounts/source.ts'
import type { Clock, EpochMs } from '../base/clock.ts'
import { refusals } from '../base/refusals.ts'
import { ACCESS_TYP, REFRESH_TYP, type KeyRing } from '../keys/ring.ts'
import { decideRotation } from '../store/decide-rotation.ts'
import { createRefreshTokenVerifier, refreshVerifierOptions } from '../sessions/refresh-token.ts'
import { isRevokedWithAccount, whyClientOver } from '../store/standing.ts'
import type { Settings } from '../settings.ts'
import { isGenuineJti } from '../store/refresh-jti.ts'
import type { SessionState } from '../store/refresh.ts'
import type { ClientView, Store } from '../store/store.ts'
import { checkRevocation, subjectsOf, type Claims } from './explain-revocation.ts'
import { failed, passed, show, type Finding } from './finding.ts'
import { formatSpan, formatTime } from './print.ts'

/** The parts of the authority that `explainToken` uses. */
export interface ExplainContext {
  readonly settings: Settings
  readonly store: Store
  readonly ring: KeyRing
  readonly clock: Clock
}

type Kind = 'access' | 'refresh'

/**
 * Reports every check of a token, not only the first that fails. The verifier reports the checks of the token
 * itself. The checks of its session or service account read the database. An access token is also compared
 * with the revocation log, as a guard does. The last finding is the answer of the verifier that serves
 * requests.
 */
export async function explainToken(
  token: string,
  context: ExplainContext,
): Promise<readonly Finding[]> {
  const decoded = decodeUnverified(token)
  if (!decoded.ok) return [failed('form', `is not a JWT: ${decoded.code}`)]
  const { header, claims } = decoded
  const foreign = checkForeign(header, claims, context)
  if (foreign !== undefined) return [foreign]
  const kind = kindOf(header['typ'])
  if (kind === undefined) {
    const expected = `tokens of this server are ${ACCESS_TYP} or ${REFRESH_TYP}`
    return [failed('kind', `typ is ${show(header['typ'])}; ${expected}`)]
  }
  const shown = { header, claims, kind, nowMs: context.clock.nowMs() }
  return [
    ...reportsOf(token, kind, context).flatMap((report) => describeReport(report, shown) ?? []),
    ...(await checkSession(claims, kind, shown.nowMs, context)),
    ...(kind === 'access' ? [await checkRevocation(shown, context)] : []),
    checkVerifier(token, kind, context),
  ]
}

/**
 * Recognises a token of another authority. All further checks would fail too, and would only hide the reason. A token
 * with a key of this server gets all checks: the public URL may have changed since.
 */
function checkForeign(
  { kid }: Claims,
  { iss }: Claims,
  { ring, settings }: ExplainContext,
): Finding | undefined {
  if (typeof iss !== 'string' || iss === settings.publicUrl) return undefined
  const isOurs =
    typeof kid === 'string' &&
    (ring.jwks.keys.some((key) => key.kid === kid) ||
      ring.killed.includes(kid) ||
      ring.refreshSigner(kid) !== undefined)
  if (isOurs) return undefined
  const why = `another authority issued it: ${show(iss)}`
  return failed('issuer', `${why}. This server is ${settings.publicUrl} and has no key to check it`)
}

function kindOf(typ: unknown): Kind | undefined {
  if (typ === ACCESS_TYP) return 'access'
  return typ === REFRESH_TYP ? 'refresh' : undefined
}

function reportsOf(
  token: string,
  kind: Kind,
  context: ExplainContext,
): readonly AccessTokenReport[] {
  const { ring, settings, clock } = context
  return kind === 'access'
    ? explainAccessToken(token, accessVerifierOptions(context))
    : explainJwt(token, refreshVerifierOptions(ring.refreshKeys, settings.publicUrl, clock))
}

function accessVerifierOptions({
  ring,
  settings,
  clock,
}: ExplainContext): AccessTokenVerifierOptions {
  const { publicUrl: issuer, audience } = settings
  const keys = ring.accessKeys
  return { keys, issuer, audience, toleranceSec: 0, clock: () => clock.nowMs() }
}

/** The label of each check of the verifier in the output. */
const LABELS: Readonly<Record<AccessTokenCheck, string>> = {
  form: 'form',
  header: 'header',
  typ: 'kind',
  key: 'key',
  signature: 'signature',
  payload: 'payload',
  exp: 'expiry',
  nbf: 'not before',
  iat: 'issued',
  max_age: 'age',
  iss: 'issuer',
  aud: 'audience',
  sub: 'subject',
  jti: 'token id',
  required: 'claims',
  access_claims: 'claim type',
}

interface ShownToken {
  readonly header: Claims
  readonly claims: Claims
  readonly kind: Kind
  readonly nowMs: EpochMs
}

/** Describes the result of a check. Returns undefined if the check passed and there is nothing to show. */
function describeReport(
  { check, refused }: AccessTokenReport,
  token: ShownToken,
): Finding | undefined {
  if (refused !== undefined) {
    const text = describeFailed(check, refused, token)
    // The authority accepts such a refresh token: see `createRefreshTokenVerifier`.
    return token.kind === 'refresh' && refused.code === 'token_issued_in_future'
      ? passed(LABELS[check], `${text}: the clock of this server was set back`)
      : failed(LABELS[check], text)
  }
  const text = describePassed(check, token)
  return text === undefined ? undefined : passed(LABELS[check], text)
}

function describePassed(
  check: AccessTokenCheck,
  { header, claims, kind, nowMs }: ShownToken,
): string | undefined {
  switch (check) {
    case 'typ':
      return kind === 'access' ? 'an access token' : 'a refresh token'
    case 'key':
      return `${String(header['alg'])} key ${show(header['kid'])}`
    case 'signature':
      return 'is valid'
    case 'iss':
      return String(claims['iss'])
    case 'aud':
      return claims['aud'] === undefined ? undefined : show(claims['aud'])
    case 'exp':
      return `expires in ${formatSpan(Number(claims['exp']) - nowMs / 1000)}`
    case 'nbf':
      return claims['nbf'] === undefined ? undefined : 'has passed'
    case 'iat':
      return claims['iat'] === undefined
        ? undefined
        : `${formatSpan(nowMs / 1000 - Number(claims['iat']))} ago`
    case 'required':
      return 'all required claims are present'
    case 'access_claims':
      return 'all claims have the right type'
    default:
      return undefined
  }
}

function describeFailed(
  check: AccessTokenCheck,
  { code, claim = check }: Refused,
  { header, claims, nowMs }: ShownToken,
): string {
  switch (code) {
    case 'key_unknown':
      return `no key of this server has the kid ${show(header['kid'])}, or that key has not signed yet`
    case 'algorithm_mismatch':
      return `alg is ${show(header['alg'])}, which is not the algorithm of the key`
    case 'signature_invalid':
      return 'is not valid'
    case 'token_expired':
      return `expired ${formatSpan(nowMs / 1000 - Number(claims['exp']))} ago`
    case 'token_issued_in_future':
      return `${formatSpan(Number(claims['iat']) - nowMs / 1000)} in the future`
    case 'issuer_mismatch':
    case 'audience_mismatch':
    case 'claim_missing':
    case 'claim_invalid':
      return `${claim} is ${show(claims[claim])}: ${jwtRefusals[code]}`
    default:
      return jwtRefusals[code]
  }
}

async function checkSession(
  claims: Claims,
  kind: Kind,
  now: EpochMs,
  { store, settings }: ExplainContext,
): Promise<Finding[]> {
  const sid = claims['sid']
  if (kind === 'access' && sid === undefined && claims['sub'] === claims['client_id']) {
    return [await checkClient(claims, store)]
  }
  const state = typeof sid === 'string' ? await store.sessions.state(sid) : undefined
  if (state === undefined) {
    const unknown = failed('session', `this server has no session ${show(sid)}`)
    return [kind === 'access' ? { ...unknown, isKnownTo: 'server' } : unknown]
  }
  const standing = [checkEnded(state), checkAccount(state)]
  if (kind === 'access') return standing.map((each) => ({ ...each, isKnownTo: 'server' }))
  return [...standing, checkRotation(claims, state, now, settings)]
}

/** The token of a service account has no session, so the service account itself is checked. */
async function checkClient(claims: Claims, store: Store): Promise<Finding> {
  const subjects = subjectsOf(claims)
  if (subjects === undefined) {
    return failed('client', 'cannot be checked, because a claim has the wrong type')
  }
  const view = await store.clients.view(subjects.sub)
  return { ...explainClient(whyClientOver(view, subjects.rvp), view), isKnownTo: 'server' }
}

function explainClient(code: ReturnType<typeof whyClientOver>, { client }: ClientView): Finding {
  if (client === undefined) return failed('client', 'this server has no such service account')
  switch (code) {
    case undefined:
      return passed('client', `the service account ${client.name} is active`)
    case 'account_disabled':
      return failed('client', `the service account ${client.name} is disabled`)
    default:
      return failed('client', `was revoked with all tokens of ${client.name} or of its tenant`)
  }
}

function checkEnded(state: SessionState): Finding {
  const { session, accountHardPosition, tenantDisabled, tenantHardPosition } = state
  if (session.endedAt !== undefined) {
    return failed('session', `ended at ${formatTime(session.endedAt)}`)
  }
  if (state.refreshKeyKilled) {
    return failed('session', 'ended because the key of its refresh tokens was revoked')
  }
  if (tenantDisabled || tenantHardPosition > session.signedInPosition) {
    return failed('session', 'ended with all other sessions in its tenant')
  }
  return isRevokedWithAccount(session, accountHardPosition)
    ? failed('session', 'ended with all other sessions of its account')
    : passed('session', 'is live')
}

function checkAccount({ session, username, accountDisabled }: SessionState): Finding {
  if (!isOwnAccountId(session.accountId)) {
    return passed('account', `${username} is an account of the application, which was not called`)
  }
  return accountDisabled
    ? failed('account', `${username} is disabled`)
    : passed('account', `${username} is active`)
}

function checkRotation(
  claims: Claims,
  state: SessionState,
  now: EpochMs,
  settings: Settings,
): Finding {
  const { gen: generation, jti } = claims
  // A generation has the same range as a position. The token may be forged.
  if (!isPosition(generation)) return failed('rotation', `gen is ${show(generation)}`)
  if (typeof jti !== 'string') return failed('rotation', `jti is ${show(jti)}`)
  if (!isGenuineJti(state.session, { generation, jti })) {
    return failed('rotation', 'was not made from this session')
  }
  const current = `generation ${generation}, the session is at ${state.session.generation}`
  const decision = decideRotation(
    state,
    { ...state.session, generation },
    { now, graceMs: settings.rotationGraceMs, startedAt: 0, healing: settings.healing },
  )
  switch (decision.kind) {
    case 'rotate':
      return passed('rotation', `${current}: returns the next pair of tokens`)
    case 'repeat':
      return passed(
        'rotation',
        `${current}: used a moment ago, gives the newest refresh token again`,
      )
    case 'heal':
      return passed('rotation', `${current}: the database lost its last write, continues from here`)
    case 'refuse':
      return failed('rotation', refusals[decision.code].text)
    case 'end':
      return failed('rotation', `${current}: using it ends the session`)
  }
}

/** The answer of the verifier that serves requests. */
function checkVerifier(token: string, kind: Kind, context: ExplainContext): Finding {
  const { ring, settings, clock } = context
  const result =
    kind === 'access'
      ? createAccessTokenVerifier(accessVerifierOptions(context)).verify(token)
      : createRefreshTokenVerifier(ring, settings.publicUrl, clock)(token)
  return result.ok ? passed('verifier', 'accepts it') : failed('verifier', `says ${result.code}`)
}
