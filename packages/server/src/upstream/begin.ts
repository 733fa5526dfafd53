import { urlToAsk, type NotConfirmed } from './ask.ts'
import type { UpstreamProvider } from './provider.ts'
import type { UpstreamServices } from './services.ts'
import { newTransaction, sealTransaction, type UpstreamTransaction } from './transaction.ts'

/** A log-in at a provider that a browser begins. */
export interface Beginning extends Pick<
  UpstreamTransaction,
  'purpose' | 'returnTo' | 'tenant' | 'language' | 'replaces'
> {
  readonly provider: UpstreamProvider
}

/** Where the browser goes, and the cookie that binds the log-in to it. */
export interface Begun {
  readonly ok: true
  readonly url: string
  readonly state: string
  /** The value of the cookie. */
  readonly sealed: string
}

/** Begins a log-in at a provider. It writes nothing: everything is in the cookie. */
export async function beginAtProvider(
  services: UpstreamServices,
  { provider, ...about }: Beginning,
): Promise<Begun | NotConfirmed> {
  const { store, random } = services.sessions
  const { position } = await store.revocations.head()
  const transaction = newTransaction(random, store.clock.nowMs(), {
    ...about,
    provider: provider.name,
    position,
  })
  const asked = await urlToAsk(services, provider, transaction)
  if (!asked.ok) return asked
  const sealed = sealTransaction(services.sealer, transaction)
  return { ok: true, url: asked.url, state: transaction.state, sealed }
}
