import { findClientSecret } from '../accounts/client-secrets.ts'
import { clientTries } from '../sessions/client-credentials.ts'
import { countTry } from '../sessions/count-try.ts'
import { refuse, type Caller, type Refusal, type SessionServices } from '../sessions/services.ts'
import type { Application, ApplicationView } from '../store/sso.ts'

/** An application that has presented its secret. */
export interface ProvenApplication {
  readonly ok: true
  readonly application: Application
}

/** A secret that somebody presents as the secret of an application. */
export interface PresentedSecret {
  readonly id: string
  readonly secret: string
  /** The application, if this request has just read it. */
  readonly view: ApplicationView | undefined
}

/** The last use of a secret is written at most once in this time. */
const NOTED_EVERY_MS = 60_000

/**
 * Checks the secret of an application, by the rules of the secrets of service accounts (`client-credentials.ts`): only
 * wrong ones are counted, by address. The right secret of a disabled application is refused with 401, never with 429.
 */
export async function proveApplication(
  services: SessionServices,
  { id, secret, view: known }: PresentedSecret,
  caller: Caller,
): Promise<ProvenApplication | Refusal> {
  const { applications } = services.store.sso
  const view = known ?? (await applications.view(id))
  const found = findClientSecret(view?.secrets ?? [], secret)
  if (view === undefined || found === undefined || view.application.disabledAt !== undefined) {
    const throttled = await countTry(services, clientTries(services, id, caller))
    if (throttled !== undefined && found === undefined) return throttled
    await audit(services, view?.application, found === undefined, caller)
    return refuse('client_invalid')
  }
  const now = services.store.clock.nowMs()
  if (found.lastUsedAt === undefined || now - found.lastUsedAt >= NOTED_EVERY_MS) {
    await applications.noteSecretUse(id, found.id, now)
  }
  return { ok: true, application: view.application }
}

async function audit(
  { store, clock }: SessionServices,
  application: Application | undefined,
  isWrong: boolean,
  { address }: Caller,
): Promise<void> {
  await store.audit.append({
    at: clock.nowMs(),
    actor: 'anonymous',
    event: 'client_login',
    outcome: 'refused',
    accountId: application?.id,
    sessionId: undefined,
    address,
    detail: whyOf(application, isWrong),
  })
}

function whyOf(application: Application | undefined, isWrong: boolean): string {
  if (application === undefined) return 'unknown_client'
  return isWrong ? 'wrong_secret' : 'client_disabled'
}
