import type { Payload } from 'oidc-provider'

import { PATHS } from './options.ts'

/** The members that come from elsewhere when a record is read: they are secrets, or they follow from the row. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  // The library keeps the cookie of its session here. The session of the cookies decides: see `sessions.ts`.
  Interaction: ['session', 'returnTo'],
  Session: ['uid', 'state'],
  DeviceCode: ['userCode'],
}

const ALWAYS: readonly string[] = ['jti', 'kind', 'iat', 'exp', 'consumed', 'sessionUid']

/** Returns the JSON of a record, without its id and without anything that opens it. */
export function toStoredPayload(kind: string, payload: Payload): string {
  const left = new Set([...ALWAYS, ...(LEFT_OUT[kind] ?? [])])
  return JSON.stringify(
    Object.fromEntries(Object.entries(payload).filter(([key]) => !left.has(key))),
  )
}

/** The life of a record that was read: its times are the store's, and the library compares with its own clock. */
export interface StoredLife {
  readonly id: string
  readonly leftMs: number
  readonly isUsed: boolean
}

/** Returns the payload as the library wrote it. */
export function fromStoredPayload(
  kind: string,
  json: string,
  { id, leftMs, isUsed }: StoredLife,
  issuer: string,
): Payload {
  const now = Math.floor(Date.now() / 1000)
  const stored: unknown = JSON.parse(json)
  return {
    // `toStoredPayload` has written an object.
    ...(stored as Payload),
    jti: id,
    kind,
    iat: now,
    exp: now + Math.ceil(leftMs / 1000),
    ...(isUsed ? { consumed: now } : {}),
    ...(kind === 'Interaction' ? { returnTo: `${issuer}${PATHS.authorize}/${id}` } : {}),
  }
}
