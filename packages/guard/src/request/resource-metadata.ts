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
}

/**
 * Returns the document to serve at `/.well-known/oauth-protected-resource`. Set the option `resourceMetadata`
 * to its URL: refused clients then learn where to log in. `guards` is the guard of the resource, combined or
 * not, or a list of guards.
 */
export function resourceMetadata(
  guards: Pick<Guard, 'issuer'> | readonly Pick<Guard, 'issuer'>[],
  own: Omit<ResourceMetadata, 'authorization_servers' | 'bearer_methods_supported'>,
): ResourceMetadata {
  return {
    ...own,
    authorization_servers: [guards]
      .flat()
      .flatMap(partsOf)
      .map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
  }
}
