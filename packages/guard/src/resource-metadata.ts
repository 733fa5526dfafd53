import type { Guard } from './guard.ts'

/** A protected resource's metadata (RFC 9728 §2), as far as a guard knows it. */
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
 * The document to serve at `/.well-known/oauth-protected-resource`, whose URL is the option
 * `resourceMetadata`: clients that are refused learn from it where to sign in.
 */
export function resourceMetadata(
  guard: Pick<Guard, 'issuer'>,
  own: Omit<ResourceMetadata, 'authorization_servers' | 'bearer_methods_supported'>,
): ResourceMetadata {
  return {
    ...own,
    authorization_servers: [guard.issuer],
    bearer_methods_supported: ['header'],
  }
}
