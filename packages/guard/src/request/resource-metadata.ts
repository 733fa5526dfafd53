import { partsOf } from '../combine.ts'
import type { Guard } from '../guard.ts'

/** The metadata of a protected resource (RFC 9728 §2), as far as a guard knows it. */
export interface ResourceMetadata {
  /** The resource identifier: an https URL without a fragment. */
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
  readonly scopes_supported?: readonly string[]
  readonly resource_name?: string
  readonly resource_documentation?: string
  /** The algorithms of proofs (RFC 9449) that the guard accepts. Absent if it does not take the scheme `DPoP`. */
  readonly dpop_signing_alg_values_supported?: readonly string[]
  /** Whether the guard refuses tokens that are bound to no key. */
  readonly dpop_bound_access_tokens_required?: boolean
}

/** The part of a guard that the metadata comes from. */
type Source = Pick<Guard, 'issuer'> & Partial<Pick<Guard, 'dpop'>>

/** The members that the service itself knows. */
type OwnMetadata = Pick<
  ResourceMetadata,
  'resource' | 'scopes_supported' | 'resource_name' | 'resource_documentation'
>

/**
 * Returns the document to serve at `/.well-known/oauth-protected-resource`. If the resource has a path, that path
 * follows (RFC 9728 §3.1): `/.well-known/oauth-protected-resource/mcp`. Set the option `resourceMetadata` to its URL:
 * refused clients then learn where to log in. `guards` is the guard of the resource, combined or not, or a list of
 * guards.
 */
export function resourceMetadata(
  guards: Source | readonly Source[],
  own: OwnMetadata,
): ResourceMetadata {
  const all = [guards].flat().flatMap(partsOf)
  const algorithms = new Set(all.flatMap(({ dpop }) => dpop?.algorithms ?? []))
  const isRequired = all.every(({ dpop }) => dpop?.isRequired === true)
  return {
    ...own,
    authorization_servers: all.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
    ...(algorithms.size === 0 ? {} : { dpop_signing_alg_values_supported: [...algorithms] }),
    ...(isRequired ? { dpop_bound_access_tokens_required: true } : {}),
  }
}
