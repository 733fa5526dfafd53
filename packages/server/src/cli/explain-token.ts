import { createAccessTokenVerifier } from '@countersign/guard'
import { decodeUnverified, verifyJws } from '@countersign/jwt'

import { isOwnAccountId } from '../accounts/source.ts'
import type { Clock, EpochMs } from '../base/clock.ts'
import { refusals } from '../base/refusals.ts'
import { ACCESS_TYP, REFRESH_TYP, type KeyRing } from '../keys/ring.ts'
import { decideRotation } from '../sessions/decide-rotation.ts'
import { createRefreshTokenVerifier, isGenuineJti } from '../sessions/refresh-token.ts'
import { isRevokedWithAccount, whyClientOver } from '../sessions/standing.ts'
import type { Settings } from '../settings.ts'
import type { SessionState } from '../store/refresh.ts'
import type { ClientView, Store } from '../store/store.ts'
import { formatJson } from './print.ts'

/** One check of a token: whether it passes, and what was seen. */
export interface Finding {
  readonly passed: boolean
  readonly check: string
  readonly text: string
  /** True where only the authority can tell, because it asked its database. */
  readonly isKnownHereOnly?: boolean
}

export interface ExplainParts {
  readonly settings: Settings
  readonly store: Store
  readonly ring: KeyRing
  readonly clock: Clock
}

type Claims = Readonly<Record<string, unknown>>
type Kind = 'access' | 'refresh'

/**
 * Checks a token one rule at a time, all of them, so that a person sees everything that is wrong with
 * it and not the first thing only. The real verifier has the last word.
 */
export async function explainToken(
  token: string,
  parts: ExplainParts,
): Promise<readonly Finding[]> {
  const decoded = decodeUnverified(token)
  if (!decoded.ok) return [failed('form', `is not a JWT: ${decoded.code}`)]
  const { header, claims } = decoded
  const now = parts.clock.nowMs()

  const kind = kindOf(header['typ'])
  if (kind === undefined) {
    return [
      failed(
        'kind',
        `typ is ${show(header['typ'])}; tokens of this server are ${ACCESS_TYP} or ${REFRESH_TYP}`,
      ),
    ]
  }
  return [
    passed('kind', kind === 'access' ? 'an access token' : 'a refresh token'),
    ...checkSignature(token, header, kind, parts.ring),
    checkIssuer(claims, parts.settings),
    ...(kind === 'access' ? [checkAudience(claims, parts.settings)] : []),
    checkExpiry(claims, now),
    checkIssued(claims, now),
    ...(await checkSession(claims, kind, now, parts)),
    checkVerifier(token, kind, parts),
  ]
}

function kindOf(typ: unknown): Kind | undefined {
  if (typ === ACCESS_TYP) return 'access'
  return typ === REFRESH_TYP ? 'refresh' : undefined
}

function checkSignature(token: string, header: Claims, kind: Kind, ring: KeyRing): Finding[] {
  const keys = kind === 'access' ? ring.accessKeys : ring.refreshKeys
  const kid = header['kid']
  const key = typeof kid === 'string' ? keys.get(kid) : undefined
  if (key === undefined) return [failed('key', `no key of this server has the kid ${show(kid)}`)]
  const verified = verifyJws(token, keys)
  return [
    passed('key', `${key.alg} key ${show(kid)}`),
    verified.ok
      ? passed('signature', 'is right')
      : failed('signature', `is not right (${verified.code})`),
  ]
}

function checkIssuer(claims: Claims, { publicUrl }: Settings): Finding {
  return claims['iss'] === publicUrl
    ? passed('issuer', publicUrl)
    : failed('issuer', `iss is ${show(claims['iss'])}, this server is ${publicUrl}`)
}

function checkAudience(claims: Claims, { audience }: Settings): Finding {
  const aud = claims['aud']
  const isOurs = aud === audience || (Array.isArray(aud) && aud.includes(audience))
  return isOurs
    ? passed('audience', audience)
    : failed('audience', `aud is ${show(aud)}, expected ${audience}`)
}

function checkExpiry(claims: Claims, now: EpochMs): Finding {
  const exp = claims['exp']
  if (typeof exp !== 'number') return failed('expiry', `exp is ${show(exp)}, not a number`)
  const leftSec = exp - now / 1000
  return leftSec > 0
    ? passed('expiry', `expires in ${formatSpan(leftSec)}`)
    : failed('expiry', `expired ${formatSpan(-leftSec)} ago`)
}

function checkIssued(claims: Claims, now: EpochMs): Finding {
  const iat = claims['iat']
  if (typeof iat !== 'number') return failed('issued', `iat is ${show(iat)}, not a number`)
  const ageSec = now / 1000 - iat
  return ageSec >= 0
    ? passed('issued', `${formatSpan(ageSec)} ago`)
    : failed('issued', `${formatSpan(-ageSec)} in the future`)
}

async function checkSession(
  claims: Claims,
  kind: Kind,
  now: EpochMs,
  { store, settings }: ExplainParts,
): Promise<Finding[]> {
  const sid = claims['sid']
  if (kind === 'access' && sid === undefined && claims['sub'] === claims['client_id']) {
    return [await checkClient(claims, store)]
  }
  const state = typeof sid === 'string' ? await store.sessions.state(sid) : undefined
  if (state === undefined) {
    const unknown = failed('session', `this server has no session ${show(sid)}`)
    return [{ ...unknown, isKnownHereOnly: kind === 'access' }]
  }
  const standing = [checkEnded(state), checkAccount(state)]
  if (kind === 'access') return standing.map((each) => ({ ...each, isKnownHereOnly: true }))
  return [...standing, checkRotation(claims, state, now, settings)]
}

/** What stands behind the token of a service account, in place of a session. */
async function checkClient(claims: Claims, store: Store): Promise<Finding> {
  const view = await store.clients.view(String(claims['sub']))
  const code = whyClientOver(view, Number(claims['rvp']))
  return { ...explainClient(code, view), isKnownHereOnly: true }
}

function explainClient(code: ReturnType<typeof whyClientOver>, { client }: ClientView): Finding {
  if (client === undefined) return failed('client', 'this server has no such service account')
  switch (code) {
    case undefined:
      return passed('client', `the service account ${client.name} is active`)
    case 'account_disabled':
      return failed('client', `the service account ${client.name} is disabled`)
    default:
      return failed('client', `was taken back, with all tokens of ${client.name} or its tenant`)
  }
}

function checkEnded(state: SessionState): Finding {
  const { session, accountHardPosition, tenantDisabled, tenantHardPosition } = state
  if (session.endedAt !== undefined) {
    return failed('session', `ended at ${new Date(session.endedAt).toISOString()}`)
  }
  if (state.refreshKeyKilled) {
    return failed('session', 'ended with the secret of its refresh tokens, which was killed')
  }
  if (tenantDisabled || tenantHardPosition > session.signedInPosition) {
    return failed('session', 'ended with all others in its tenant')
  }
  return isRevokedWithAccount(session, accountHardPosition)
    ? failed('session', 'ended with all others of its account')
    : passed('session', 'lives')
}

function checkAccount({ session, username, accountDisabled }: SessionState): Finding {
  if (!isOwnAccountId(session.accountId)) {
    return passed('account', `${username} is an account of the application, which was not asked`)
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
  const generation = Number(claims['gen'])
  const jti = String(claims['jti'])
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
      return passed('rotation', `${current}: gives the next pair`)
    case 'repeat':
      return passed('rotation', `${current}: used a moment ago, gives the same successor again`)
    case 'heal':
      return passed('rotation', `${current}: the database lost its last write, continues from here`)
    case 'refuse':
      return failed('rotation', refusals[decision.code].text)
    case 'end':
      return failed('rotation', `${current}: using it ends the session`)
  }
}

/** The rules above are for people; this is the rule that counts. */
function checkVerifier(
  token: string,
  kind: Kind,
  { ring, settings, clock }: ExplainParts,
): Finding {
  const { publicUrl: issuer, audience } = settings
  const result =
    kind === 'access'
      ? createAccessTokenVerifier({
          keys: ring.accessKeys,
          issuer,
          audience,
          toleranceSec: 0,
          clock: () => clock.nowMs(),
        }).verify(token)
      : createRefreshTokenVerifier(ring, issuer, clock)(token)
  return result.ok ? passed('verifier', 'accepts it') : failed('verifier', `says ${result.code}`)
}

function passed(check: string, text: string): Finding {
  return { passed: true, check, text }
}

function failed(check: string, text: string): Finding {
  return { passed: false, check, text }
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : formatJson(value)
}

function formatSpan(seconds: number): string {
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`
}
