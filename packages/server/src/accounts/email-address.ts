import { domainToASCII, domainToUnicode } from 'node:url'

import { foldName } from './fold-name.ts'

/** An e-mail address in its canonical spelling. */
export interface EmailAddress {
  /** Folded. RFC 5321 allows a host to distinguish `Bob` from `bob`, but people do not. */
  readonly local: string
  /** In lower case and ASCII (`xn--`). */
  readonly domain: string
}

// RFC 5321 §4.5.3.1.1 and §4.5.3.1.3 (256 bytes for a path, with its angle brackets); RFC 1035 §2.3.4.
const LOCAL_BYTES_MAX = 64
const ADDRESS_BYTES_MAX = 254
const LABEL_CHARS_MAX = 63

// Dot-string of RFC 5321 §4.1.2 with the letters of RFC 6531. Without quotes there are no spaces, commas or
// brackets, which could turn one address into two in a mail header.
const LOCAL =
  /^[\w!#$%&'*+/=?^`{|}~\-\p{L}\p{M}\p{N}]+(?:\.[\w!#$%&'*+/=?^`{|}~\-\p{L}\p{M}\p{N}]+)*$/u

// Checked before `domainToASCII`, which decodes `%61` and drops soft hyphens. Such texts are hidden second
// spellings of a domain.
const DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u

/**
 * Reads an address without a display name. Returns undefined for any other text. The text must be in NFKC, so
 * that a full-width `＠` has already become an "@".
 */
export function readEmailAddress(text: string): EmailAddress | undefined {
  const [localPart = '', domainPart = '', ...more] = text.split('@')
  if (more.length > 0) return undefined
  const local = foldName(localPart)
  const domain = readDomain(domainPart)
  if (domain === undefined || !LOCAL.test(local)) return undefined
  const bytes = Buffer.byteLength(local)
  return bytes > LOCAL_BYTES_MAX || bytes + 1 + domain.length > ADDRESS_BYTES_MAX
    ? undefined
    : { local, domain }
}

/**
 * Returns the key under which an e-mail address is stored and found, which is the key of a username with this
 * spelling. Undefined if the text is no address that can get mail.
 */
export function readEmailKey(text: string): string | undefined {
  if (text.length > ADDRESS_BYTES_MAX || !text.isWellFormed()) return undefined
  const address = readEmailAddress(text.normalize('NFKC'))
  return address === undefined ? undefined : `${address.local}@${address.domain}`
}

function readDomain(text: string): string | undefined {
  if (!DOMAIN.test(text)) return undefined
  const domain = domainToASCII(text)
  const unicode = domainToUnicode(domain)
  // Otherwise two `xn--` forms that are displayed as the same domain would be two accounts.
  if (domainToASCII(unicode) !== domain) return undefined
  const labels = domain.split('.')
  const isAddress = /^\d+$/.test(labels.at(-1) ?? '') // An IPv4 address.
  return isAddress || !labels.every(isLabel) || /(?:^|\.)xn--/.test(unicode) ? undefined : domain
}

function isLabel(label: string): boolean {
  return label.length <= LABEL_CHARS_MAX && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label)
}
