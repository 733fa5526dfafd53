import { isNonce } from '@countersign/guard/revocations'

/** Reads the name that a guard uses on all its connections: 16 to 64 characters of base64url. */
export function readGuardId(id: string | null): string | undefined {
  return isNonce(id) ? id : undefined
}

/** The name of a guard among all guards. One service account cannot speak for another one's guards. */
export function guardName(clientId: string, id: string): string {
  return `${clientId}/${id}`
}
