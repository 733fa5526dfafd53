import { decideStanding, isPosition, type TokenSubjects } from '@countersign/guard/revocations'

import type { EpochMs } from '../base/clock.ts'
import type { KeyRing } from '../keys/ring.ts'
import { readLogCopy, retainMs } from '../revocations/log-copy.ts'
import type { Settings } from '../settings.ts'
import type { Store } from '../store/store.ts'
import { failed, passed, show, type Finding } from './finding.ts'

/** The members of a decoded token, not verified. A member can have any JSON type. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Checks an access token against the revocation log, with the rule of the guards and a copy of the log that
 * begins where the server's own copy begins. So a token that guards refuse also fails here.
 */
export async function checkRevocation(
  { header, claims, nowMs }: { header: Claims; claims: Claims; nowMs: EpochMs },
  { store, settings, ring }: { store: Store; settings: Settings; ring: KeyRing },
): Promise<Finding> {
  const kid = header['kid']
  if (ring.killed.some((killed) => killed === kid)) {
    return failedByFeed(`the key ${show(kid)} that signed it was revoked`)
  }
  const subjects = subjectsOf(claims)
  if (subjects === undefined) {
    return failed('revocation', 'cannot be checked, because a claim has the wrong type')
  }
  const log = await readLogCopy(store.revocations, retainMs(settings), nowMs)
  switch (decideStanding(subjects, log)) {
    case 'stands':
      return { ...passed('revocation', 'is not revoked'), isKnownTo: 'feed' }
    case 'session_ended':
      return failedByFeed('was revoked, and guards answer session_ended')
    case 'token_stale':
      return failedByFeed(
        subjects.rvp < log.floor
          ? `is older than the entries that guards keep (rvp ${subjects.rvp}): they answer token_stale`
          : 'was revoked or is out of date, and guards answer token_stale',
      )
  }
}

function failedByFeed(text: string): Finding {
  return { ...failed('revocation', text), isKnownTo: 'feed' }
}

/**
 * Returns the claims that name the subjects of a token. Returns undefined if one of them has the wrong type,
 * because the token may be forged.
 */
export function subjectsOf(claims: Claims): TokenSubjects | undefined {
  const { rvp, iss, sub, client_id, jti, tid, sid } = claims
  if (!isPosition(rvp)) return undefined
  if (!isText(iss) || !isText(sub) || !isText(client_id) || !isText(jti)) return undefined
  if (!isTextOrMissing(tid) || !isTextOrMissing(sid)) return undefined
  return {
    rvp,
    iss,
    sub,
    client_id,
    jti,
    ...(tid === undefined ? {} : { tid }),
    ...(sid === undefined ? {} : { sid }),
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTextOrMissing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}
