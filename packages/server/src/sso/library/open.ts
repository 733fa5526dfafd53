import type { IncomingMessage, ServerResponse } from 'node:http'

import { Provider, type Context } from 'oidc-provider'

import { createDevices, type Devices } from './devices.ts'
import { overrideClients } from './clients.ts'
import { createConfiguration } from './configuration.ts'
import { factsOf, rememberFacts, type RequestFacts } from './facts.ts'
import { loadGrant } from './grants.ts'
import { createInteractions, type Interactions } from './interactions.ts'
import type { LibraryOptions } from './options.ts'
import { overrideReplays, overrideSessions } from './sessions.ts'
import { overrideTokens } from './tokens.ts'

/** The OpenID Connect library behind our pages and our store. */
export interface Library {
  /** Answers a request for one of its endpoints. The facts then also have what the answer does not say. */
  readonly handle: (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    facts: RequestFacts,
  ) => void
  readonly interactions: Interactions
  readonly devices: Devices
}

/**
 * Opens the library. All its state is in our store, and all keys in our ring. This folder contains everything that
 * touches it, and `sso-library.test.ts` checks that a new version still has the members that are replaced here.
 */
export function openLibrary(options: LibraryOptions): Library {
  const { sessions } = options
  const provider: Provider = new Provider(
    sessions.access.issuer,
    createConfiguration(options, (context) => loadGrant(provider, sessions, context)),
  )
  // The route table makes each request look as if it had come to the issuer.
  provider.proxy = true
  overrideClients(provider, sessions)
  overrideTokens(provider, sessions)
  overrideSessions(provider, sessions)
  overrideReplays(provider, sessions)
  acceptOfflineAccess(provider)
  provider.on('server_error', (context, error) => {
    factsOf(context).fault = error
  })
  // Faults outside of the library's own handlers, such as the write of its session after the answer.
  provider.on('error', (error, context) => {
    if (error.expose !== true) factsOf(context).fault ??= error
  })
  const callback = provider.callback()
  return {
    handle: (incoming, outgoing, facts) => {
      rememberFacts(incoming, facts)
      callback(incoming, outgoing)
    },
    interactions: createInteractions(provider),
    devices: createDevices(provider, sessions),
  }
}

/**
 * Lets applications ask for `offline_access` without `prompt=consent`. The library would drop the scope without that
 * parameter. OpenID Connect Core 1.0 §11 lets a server decide by other conditions: here the person must have allowed the
 * scope, now or earlier.
 */
function acceptOfflineAccess({ OIDCContext: { prototype } }: Provider): void {
  const known = Object.getOwnPropertyDescriptor(prototype, 'prompts')
  if (known?.get === undefined) throw new TypeError('The library has no prompts.')
  Object.defineProperty(prototype, 'prompts', {
    configurable: true,
    get(this: Context['oidc']) {
      const prompts = known.get?.call(this) as Set<string>
      const asks = this.params['scope']?.split(' ').includes('offline_access') === true
      return asks && !prompts.has('none') ? prompts.add('consent') : prompts
    },
  })
}
