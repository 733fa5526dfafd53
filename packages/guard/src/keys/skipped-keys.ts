import type { SkippedKey } from '@countersign/jwt'

const KIDS_MAX = 5
const KID_CHARS_MAX = 80

/** Describes skipped keys for an operator. Returns undefined if no key was skipped. */
export function describeSkipped(skipped: readonly SkippedKey[]): string | undefined {
  if (skipped.length === 0) return undefined
  const named = skipped.slice(0, KIDS_MAX).map(({ kid, reason }) => {
    const text = reason.replace(/\.$/, '')
    return `${kid === undefined ? 'a key' : JSON.stringify(kid.slice(0, KID_CHARS_MAX))}: ${text}`
  })
  const more = skipped.length - named.length
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}

/** Returns the notice about skipped keys of an issuer, or undefined if no key was skipped. */
export function skippedNotice(issuer: string, skipped: readonly SkippedKey[]): string | undefined {
  const described = describeSkipped(skipped)
  return described === undefined
    ? undefined
    : `The guard of ${issuer} skips keys of the key set, and refuses their tokens as key_unknown. ${described}.`
}
