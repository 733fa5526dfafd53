import { decodeUnverified } from '@countersign/jwt'

import type { GuardSettings } from '../guard-options.ts'

type Expected = Pick<GuardSettings, 'issuer' | 'audience' | 'onNotice'>

/** A longer name in a token is left out of a notice. */
const NAME_CHARS_MAX = 255

/**
 * Tells the operator why a new guard refuses every token: its issuer or its audience is not that of the
 * authority. It looks only at tokens that the authority has signed, so no stranger can cause a notice or
 * choose its text. Each notice appears once. After the first accepted token it is silent, because then single
 * rejected tokens are for another service.
 */
export class Misconfiguration {
  readonly #expected: Expected
  readonly #told = new Set<string>()

  constructor(expected: Expected) {
    this.#expected = expected
  }

  /** Notes a refused token. `reason` must come from a verifier, which checks the signature before the claims. */
  note(reason: string, token: string): void {
    if (this.#told.has(reason)) return
    const decoded = decodeUnverified(token)
    const text = decoded.ok ? this.#textOf(reason, decoded.claims) : undefined
    if (text === undefined) return
    this.#told.add(reason)
    try {
      this.#expected.onNotice(text)
    } catch {
      // The caller verifies a token, and must get its answer.
    }
  }

  #textOf(reason: string, { iss, aud }: Readonly<Record<string, unknown>>): string | undefined {
    const { issuer, audience } = this.#expected
    switch (reason) {
      case 'issuer_mismatch': {
        const isSlash = typeof iss === 'string' && withoutSlash(iss) === withoutSlash(issuer)
        const hint = isSlash ? ' They differ only in the slash at the end.' : ''
        return `The option issuer of this guard is ${show(issuer)}, but the authority's tokens have the issuer ${show(iss)}, so the guard refuses them all.${hint} Set issuer to exactly the authority's public URL.`
      }
      case 'audience_mismatch':
        return `The option audience of this guard is ${show(audience)}, but the authority's tokens have the audience ${show(aud)}, so the guard refuses them. Set audience to the authority's COUNTERSIGN_AUDIENCE, which is its public URL by default.`
      default:
        return undefined
    }
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '')
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'none'
  return text.length > NAME_CHARS_MAX ? 'another one' : text
}
