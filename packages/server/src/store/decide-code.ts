import { timingSafeEqual } from 'node:crypto'

import type { EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import type {
  CodeBearer,
  CodeRefusal,
  MailCode,
  PresentedCode,
  RecognisedCode,
} from './mail-codes.ts'

/** The decision about a presented code. `code_wrong` must be counted. */
export type CodeDecision =
  | { readonly ok: true; readonly by: CodeBearer }
  | { readonly ok: false; readonly code: CodeRefusal }

/**
 * Decides whether a person may use a mailed code. Pure.
 *
 * A scanner of a mail system opens every link and presses every button, so the link alone proves nothing. The
 * ticket is a cookie of the browser that asked, and the scanner does not have it. Whoever has no ticket must
 * type the code.
 */
export function decideCode(code: MailCode, presented: PresentedCode, now: EpochMs): CodeDecision {
  const proved = recogniseCode(code, presented, now)
  // Without one of the two long secrets, the attempt is not counted: otherwise anybody who knows the id could
  // void the code.
  if (proved === undefined) return refuse('code_void')
  const { hasLink, hasTicket } = proved
  const by = hasTicket ? 'asker' : 'recipient'
  if (presented.codeHashes !== undefined) {
    return isAnyEqual(code.codeHash, presented.codeHashes) ? { ok: true, by } : refuse('code_wrong')
  }
  return hasLink && hasTicket ? { ok: true, by } : refuse('code_missing')
}

/** Decides which of the two long secrets is right. Undefined if neither is, or the code is over. Pure. */
export function recogniseCode(
  code: MailCode,
  presented: PresentedCode,
  now: EpochMs,
): Pick<RecognisedCode, 'hasLink' | 'hasTicket'> | undefined {
  if (now >= code.expiresAt || code.attempts >= limits.codeAttemptsMax) return undefined
  const hasLink = isAnyEqual(code.linkHash, presented.linkHashes)
  const hasTicket = isAnyEqual(code.ticketHash, presented.ticketHashes)
  return hasLink || hasTicket ? { hasLink, hasTicket } : undefined
}

function refuse(code: CodeRefusal): CodeDecision {
  return { ok: false, code }
}

/** Whether one of the given hashes is the expected one. Compares in constant time. */
export function isAnyEqual(
  expected: Uint8Array,
  given: readonly Uint8Array[] | undefined,
): boolean {
  let isEqual = false
  for (const each of given ?? []) {
    if (each.length === expected.length && timingSafeEqual(each, expected)) isEqual = true
  }
  return isEqual
}
