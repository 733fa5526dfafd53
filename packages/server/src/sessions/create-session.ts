import { isIP } from 'node:net'

import { normalizeAddress } from '../base/address.ts'
import type { EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { assertOptions } from '../base/options.ts'
import { identify } from './identify.ts'
import { openSession, type NotOpened, type SignedIn } from './open-session.ts'
import type { Proof } from '../factors/proof.ts'
import type { PendingSignIn, SessionServices } from './services.ts'

/**
 * A sign-in that the application has begun, before any proof. It is plain data: keep it with the state of an
 * OAuth redirect or a mailed link, and spread it into the options of `create`.
 */
export interface SignInAttempt {
  /** The position of the revocation log before the first proof. */
  readonly position: number
}

/** How the application authenticated a person, and where the session is used. */
export interface CreateSessionOptions {
  /** How the person proved who they are, as RFC 8176 values such as `fed`, `otp`, `hwk`: 1 to 16. */
  readonly amr: readonly string[]
  /** The authentication context class that was reached: 1 to 255 visible ASCII characters. */
  readonly acr?: string | undefined
  /**
   * The position from `begin()`, which you call before the first proof. No session opens if the account was
   * disabled, or its sessions were revoked, after that position. Without it, the position at the call of
   * `create` is used, and a revocation between the proof and the call goes unnoticed.
   */
  readonly position?: number | undefined
  /**
   * When the person proved who they are, in milliseconds since 1970. Defaults to now; a later time counts as
   * now.
   */
  readonly authenticatedAt?: EpochMs | undefined
  /** The name of the tenant to sign in to. Defaults to the account's default tenant. */
  readonly tenant?: string | undefined
  /** The client's IP address, for the audit and the account's list of sessions. */
  readonly address?: string | undefined
  /** The client's `User-Agent`, which is cut to 256 characters. */
  readonly userAgent?: string | undefined
  /** Whether the tokens go into cookies. Required for `cookies`. Defaults to false. */
  readonly forCookies?: boolean | undefined
}

/**
 * A session that was opened for the application. Keep the tokens secret: anybody who has them is logged in.
 */
export interface CreatedSession {
  readonly ok: true
  readonly access: string
  readonly refresh: string
  readonly accountId: string
  readonly sessionId: string
  /** When the access token expires, in milliseconds since 1970. */
  readonly accessExpiresAt: EpochMs
  /** When the refresh token expires if it is not used, in milliseconds since 1970. */
  readonly refreshExpiresAt: EpochMs
  /**
   * The device cookie. Wrong passwords of this browser count in its own bucket, so other people's guesses do
   * not slow it down.
   */
  readonly device: string
  readonly forCookies: boolean
}

/** The stable code of the reason why no session was opened. */
export type SessionNotCreatedCode =
  | 'account_unknown'
  | 'account_disabled'
  | 'tenant_forbidden'
  | 'session_revoked'
  | 'position_ahead'
  | 'second_factor_required'
  | 'second_factor_enrolment_required'

/** Why no session was opened: a stable code, and a sentence for the developer. */
export interface SessionNotCreated {
  readonly ok: false
  readonly code: SessionNotCreatedCode
  readonly text: string
  /** With the two codes about second factors: the ticket with which the person continues, and the ways to do so. */
  readonly pending?: PendingSignIn
}

const OPTIONS = [
  'amr',
  'acr',
  'position',
  'authenticatedAt',
  'tenant',
  'address',
  'userAgent',
  'forCookies',
] as const satisfies readonly (keyof CreateSessionOptions)[]

/** The actor of these sign-ins in the audit. */
const APPLICATION = 'application'

/**
 * Opens a session for a person that the application authenticated itself, with the checks of every other
 * sign-in: the account exists and is enabled, it is a member of the tenant, and its sessions were not revoked
 * after `position`. The audit names `application` as the actor and `amr` as the detail.
 *
 * Throws a `TypeError` that names the argument if an argument is not valid.
 */
export async function createSession(
  services: SessionServices,
  accountId: string,
  options: CreateSessionOptions,
): Promise<CreatedSession | SessionNotCreated> {
  assertText('accountId', accountId)
  assertOptions('sessions.create', options, OPTIONS)
  const proof = readProof(options, services.clock.nowMs())
  const { position, tenant, userAgent = '', forCookies = false } = options
  const address = readAddress(options.address)
  assertKinds({ position, tenant, userAgent, forCookies })

  const candidate = await identify(services, { accountId }, { tenantName: tenant, address })
  // A position that the log has not reached would let the session survive the next revocations.
  if (position !== undefined && position > candidate.position) return notCreated('position_ahead')
  const opened = await openSession(services, {
    candidate,
    proofs: [proof],
    caller: { address, userAgent: userAgent.slice(0, limits.userAgentCharsMax) },
    forCookies,
    position,
    vouchedBy: { actor: APPLICATION, detail: proof.amr.join(' ') },
  })
  if (typeof opened === 'string') return notCreated(CODES[opened])
  if (opened.ok) return describe(services, opened, forCookies)
  const code =
    opened.code === 'second_factor_enrolment_required'
      ? opened.code
      : ('second_factor_required' as const)
  const { pending } = opened
  return { ...notCreated(code), ...(pending === undefined ? {} : { pending }) }
}

function describe(
  { access: { lifetimeSec } }: SessionServices,
  { access, refresh, session, device }: SignedIn,
  forCookies: boolean,
): CreatedSession {
  if (refresh === undefined) throw new Error('A sign-in always returns a refresh token.')
  return {
    ok: true,
    access,
    refresh,
    accountId: session.accountId,
    sessionId: session.id,
    accessExpiresAt: Math.min(session.createdAt + lifetimeSec * 1000, session.endsAt),
    refreshExpiresAt: session.expiresAt,
    device,
    forCookies,
  }
}

const CODES = {
  unknown_account: 'account_unknown',
  account_disabled: 'account_disabled',
  tenant_forbidden: 'tenant_forbidden',
  revoked: 'session_revoked',
} as const satisfies Record<NotOpened, SessionNotCreatedCode>

const TEXTS: Readonly<Record<SessionNotCreatedCode, string>> = {
  account_unknown: 'There is no account with this id.',
  account_disabled: 'The account is disabled.',
  tenant_forbidden: 'The account is not a member of this tenant, or the tenant is disabled.',
  session_revoked:
    'The account, its tenant or all sessions were revoked after the sign-in began. Begin a new sign-in.',
  second_factor_required:
    'The account needs a second factor, and amr does not contain mfa. Ask the person for it, with the ticket.',
  second_factor_enrolment_required:
    'The account must enrol a second factor before it gets a session. Let the person do it, with the ticket.',
  position_ahead: 'The position is newer than the revocation log. Begin a new sign-in.',
}

function notCreated(code: SessionNotCreatedCode): SessionNotCreated {
  return { ok: false, code, text: TEXTS[code] }
}

const AMR_MAX = 16
// A lower number is probably in seconds: as milliseconds it would be before March 1973.
const MILLISECONDS_MIN = 100_000_000_000

function readProof({ amr, acr, authenticatedAt }: CreateSessionOptions, now: EpochMs): Proof {
  const isMethod = (value: unknown): boolean =>
    typeof value === 'string' && /^[\w.:/-]{1,64}$/.test(value)
  if (!Array.isArray(amr) || amr.length === 0 || amr.length > AMR_MAX || !amr.every(isMethod)) {
    throw new TypeError(
      `amr must be a list of 1 to ${AMR_MAX} texts of letters, digits and "_", ".", ":", "/", "-", such as ['fed'].`,
    )
  }
  if (acr !== undefined && !(typeof acr === 'string' && /^[!-~]{1,255}$/.test(acr))) {
    throw new TypeError('acr must have 1 to 255 visible ASCII characters.')
  }
  if (
    authenticatedAt !== undefined &&
    !(Number.isSafeInteger(authenticatedAt) && authenticatedAt >= MILLISECONDS_MIN)
  ) {
    throw new TypeError('authenticatedAt must be a whole number of milliseconds since 1970.')
  }
  return {
    kind: 'application',
    amr: [...new Set(amr)],
    acr,
    at: Math.min(authenticatedAt ?? now, now),
  }
}

function assertKinds({
  position,
  tenant,
  userAgent,
  forCookies,
}: Pick<CreateSessionOptions, 'position' | 'tenant' | 'userAgent' | 'forCookies'>): void {
  if (position !== undefined && !(Number.isSafeInteger(position) && position >= 0)) {
    throw new TypeError('position must come from begin(): a whole number, 0 or more.')
  }
  if (tenant !== undefined) assertText('tenant', tenant)
  if (typeof userAgent !== 'string') throw new TypeError('userAgent must be a string.')
  if (typeof forCookies !== 'boolean') throw new TypeError('forCookies must be true or false.')
}

/**
 * Returns the address in the spelling that logins over HTTP store, so that known addresses are recognised.
 */
function readAddress(address: unknown = ''): string {
  if (address === '') return ''
  if (typeof address !== 'string' || isIP(address) === 0) {
    throw new TypeError('address must be an IP address.')
  }
  return normalizeAddress(address)
}

function assertText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') {
    throw new TypeError(`${name} must be a string that is not empty.`)
  }
}
