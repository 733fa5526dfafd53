import { isNonce } from '@countersign/guard/revocations'

/** What a guard calls itself over all its connections: 16 to 64 characters of base64url. */
export function readGuardId(id: string | null): string | undefined {
  return isNonce(id) ? id : undefined
}

/** The same among all guards: one service account cannot speak for the guards of another. */
export function guardName(clientId: string, id: string): string {
  return `${clientId}/${id}`
}
