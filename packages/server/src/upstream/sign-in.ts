import type { EpochMs } from '../base/clock.ts'
import { identify } from '../sessions/identify.ts'
import { openSession, type SignedIn } from '../sessions/open-session.ts'
import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { IdentityKey } from '../store/identities.ts'
import type { UpstreamServices } from './services.ts'

/** An identity whose account is known. */
export interface IdentitySignIn {
  readonly key: IdentityKey
  readonly provider: string
  readonly label: string
  readonly accountId: string
  /** The log position before the first proof. */
  readonly position: number
  readonly provenAt: EpochMs
  readonly tenant: string | undefined
}

/** RFC 8176 has no value for it in its own list; `fed` is used for federated log-ins by others too. */
const AMR = ['fed'] as const

/**
 * Signs in to the account of a proved identity, by the same three steps as every other sign-in: so second factors,
 * disabled accounts and revocations count here too.
 */
export async function signInByIdentity(
  { sessions }: UpstreamServices,
  { key, provider, label, accountId, position, provenAt, tenant }: IdentitySignIn,
  caller: Caller,
  { forCookies }: { readonly forCookies: boolean },
): Promise<SignedIn | Refusal> {
  const { store } = sessions
  const wishes = { tenantName: tenant, address: caller.address }
  const candidate = await identify(sessions, { accountId }, wishes)
  // An identity that was removed meanwhile no longer logs in.
  const isLinked = async (): Promise<boolean> =>
    (await store.identities.find(key))?.accountId === accountId
  if (!(await isLinked())) return refuse('upstream_void')
  const opened = await openSession(sessions, {
    candidate,
    proofs: [{ kind: 'fed', amr: AMR, at: provenAt }],
    caller,
    forCookies,
    position,
    vouchedBy: { actor: accountId, detail: provider },
  })
  if (typeof opened === 'string') {
    return refuse(opened === 'tenant_forbidden' ? opened : 'credentials_invalid')
  }
  if (!opened.ok) return opened
  if (!(await isLinked())) {
    // Removed between the two reads: the person who removed it expects no new session.
    const context = auditContextOf(sessions, accountId, caller)
    await store.sessions.end(opened.session.id, { event: 'session_ended' }, context)
    return refuse('upstream_void')
  }
  await store.identities.noteUse(key, store.clock.nowMs(), label)
  return opened
}
