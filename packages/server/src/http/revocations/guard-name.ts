import { isNonce } from '@countersign/guard/revocations'

/** Reads the name that a guard uses on all its connections: 16 to 64 characters of base64url. */
export function readGuardId(id: string | null): string | undefined {
  return isNonce(id) ? id : undefined
}

/**
 * Returns a name that is unique among all guards. It contains the client id, so a service account cannot use
 * the names of another service account's guards.
 */
export function guardName(clientId: string, id: string): string {
  return `${clientId}/${id}`
}
