import type { Configuration } from 'openid-client'

import type { Clock, EpochMs } from '../base/clock.ts'
import { makeAppleSecret } from './apple-secret.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { loadOpenidClient, type OpenidClient } from './library.ts'
import type { UpstreamProvider } from './provider.ts'

/** A provider that can be asked, and the library that asks it. */
export interface Connection {
  readonly library: OpenidClient
  readonly configuration: Configuration
}

/** The connections to all providers. */
export interface Connections {
  /** Connects to a provider, or returns the connection that is there. Rejects if the provider cannot be reached. */
  connect(provider: UpstreamProvider): Promise<Connection>
}

/** Discovery documents are read again after this time. Keys are fetched again whenever one is unknown. */
const KEPT_MS = 60 * 60_000
const TIMEOUT_SEC = 10

/** Creates the connections. Each is opened at its first use; many at once share one attempt. A failure is not kept. */
export function createConnections(clock: Clock): Connections {
  const open = new Map<string, { readonly at: EpochMs; readonly connection: Promise<Connection> }>()

  return {
    connect(provider) {
      const known = open.get(provider.name)
      const now = clock.nowMs()
      if (known !== undefined && now - known.at < KEPT_MS) return known.connection
      const entry = { at: now, connection: openConnection(provider, clock) }
      open.set(provider.name, entry)
      entry.connection.catch(() => {
        if (open.get(provider.name) === entry) open.delete(provider.name)
      })
      return entry.connection
    },
  }
}

async function openConnection(provider: UpstreamProvider, clock: Clock): Promise<Connection> {
  const library = await loadOpenidClient()
  const configuration = await configure(library, provider, clock)
  configuration.timeout = TIMEOUT_SEC
  configuration[library.customFetch] = boundedFetch
  return { library, configuration }
}

async function configure(
  library: OpenidClient,
  provider: UpstreamProvider,
  clock: Clock,
): Promise<Configuration> {
  const { clientId, protocol } = provider
  const authentication = authenticate(library, provider, clock)
  if (protocol.kind !== 'openid') {
    const { endpoints, issuer } = protocol
    const configuration = new library.Configuration(
      { issuer, authorization_endpoint: endpoints.authorization, token_endpoint: endpoints.token },
      clientId,
      {},
      authentication,
    )
    if (isPlainHttp(endpoints.token)) library.allowInsecureRequests(configuration)
    return configuration
  }
  return library.discovery(new URL(protocol.issuer), clientId, {}, authentication, {
    [library.customFetch]: boundedFetch,
    timeout: TIMEOUT_SEC,
    execute: [
      // The signature is checked although the token comes over TLS from the issuer.
      library.enableNonRepudiationChecks,
      // The settings allow it only on this machine and in private networks.
      ...(isPlainHttp(protocol.issuer) ? [library.allowInsecureRequests] : []),
    ],
  })
}

function isPlainHttp(url: string): boolean {
  return url.startsWith('http:')
}

/** How the server proves who it is: X knows only Basic, Apple and the others take the secret as a field. */
function authenticate(
  library: OpenidClient,
  { secret, protocol, clientId }: UpstreamProvider,
  clock: Clock,
): ReturnType<OpenidClient['ClientSecretPost']> {
  switch (secret.kind) {
    case 'none':
      return library.None()
    case 'text':
      return protocol.kind === 'x'
        ? library.ClientSecretBasic(secret.value)
        : library.ClientSecretPost(secret.value)
    case 'apple':
      return (_server, _client, body) => {
        body.set('client_id', clientId)
        body.set('client_secret', makeAppleSecret(secret, clientId, clock.nowMs()))
      }
  }
}
