import { randomBytes } from 'node:crypto'

import { errors, type Client, type Payload, type Provider } from 'oidc-provider'
import { z } from 'zod'

import type { SessionServices } from '../../sessions/services.ts'
import type { Application } from '../../store/sso.ts'
import { proveApplication } from '../application-secrets.ts'
import { isRegisteredRedirect } from '../redirect-uris.ts'
import { readRegistration, type Registration } from '../registration.ts'
import { currentFacts, noteApplication } from './facts.ts'

/** An application as it was read for this request. */
export interface KnownApplication {
  readonly id: string
  readonly title: string
  readonly registration: Registration
}

/** The metadata that the library keeps with a client, besides those that it knows. */
export const OWN_METADATA = 'countersign'

/** The algorithm of the key that the library has and never uses: see `tokens.ts`. */
export const UNUSED_ALG = 'ES256'

// The library wants a secret to compare with. It never compares: see `overrideClients`.
const NO_SECRET = randomBytes(32).toString('base64url')

/** Finds an application for the library, at each request: a change counts at once. */
export async function findClient(
  { store, access }: SessionServices,
  id: string,
): Promise<Payload | undefined> {
  const view = await store.sso.applications.view(id)
  if (view === undefined) return undefined
  noteApplication(view)
  return view.application.disabledAt === undefined
    ? metadataOf(view.application, access.issuer)
    : undefined
}

function metadataOf({ id, title, registration: json }: Application, issuer: string): Payload {
  const registration = readRegistration(json)
  const { authMethod, grants, jwks, jwksUri, dpop } = registration
  const hasCode = grants.includes('authorization_code')
  return {
    client_id: id,
    client_name: title,
    token_endpoint_auth_method: authMethod,
    grant_types: grants,
    response_types: hasCode ? ['code'] : [],
    response_modes: ['query', 'form_post'],
    // Redirects are compared by our own rule: see `overrideClients`.
    redirect_uris: hasCode ? [`${issuer}/`] : [],
    id_token_signed_response_alg: UNUSED_ALG,
    dpop_bound_access_tokens: dpop,
    ...(authMethod.startsWith('client_secret') ? { client_secret: NO_SECRET } : {}),
    ...(jwks === undefined ? {} : { jwks }),
    ...(jwksUri === undefined ? {} : { jwks_uri: jwksUri }),
    [OWN_METADATA]: JSON.stringify({ title, registration }),
  }
}

const own = z.object({ title: z.string(), registration: z.unknown() })

const parsed = new WeakMap<Client, KnownApplication>()

/** The application behind a client of the library. */
export function applicationOf(client: Client): KnownApplication {
  const before = parsed.get(client)
  if (before !== undefined) return before
  const { title, registration } = own.parse(JSON.parse(String(client[OWN_METADATA])))
  const application = {
    id: client.clientId,
    title,
    registration: readRegistration(JSON.stringify(registration)),
  }
  parsed.set(client, application)
  return application
}

/**
 * Replaces what the library decides about clients: secrets are compared with their hashes, and redirects by our own
 * rule. Each wrong secret is counted.
 */
export function overrideClients(
  { Client: { prototype } }: Provider,
  services: SessionServices,
): void {
  prototype.redirectUriAllowed = function (uri) {
    const { redirectUris } = applicationOf(this).registration
    return typeof uri === 'string' && isRegisteredRedirect(redirectUris, uri)
  }
  prototype.compareClientSecret = async function (secret) {
    const { address = '', userAgent = '', application } = currentFacts() ?? {}
    const view = application?.application.id === this.clientId ? application : undefined
    const presented = { id: this.clientId, secret, view }
    const proven = await proveApplication(services, presented, { address, userAgent })
    if (proven.ok) return true
    if (proven.code !== 'throttled') return false
    const error = new errors.TemporarilyUnavailable('Too many wrong secrets. Try again later.')
    throw Object.assign(error, { status: 429, statusCode: 429 })
  }
}

/** Whether a page of this origin may read the answers to this application: it has a redirect there. */
export function isOriginOf(
  { registration }: KnownApplication,
  origin: string | undefined,
): boolean {
  if (origin === undefined || origin === 'null') return false
  return registration.redirectUris.some((uri) => URL.parse(uri)?.origin === origin)
}
