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
 * Returns an address as mails are sent to it, and the key under which it is stored and found. The key is that of
 * a username with this spelling. The address keeps its spelling, but in NFKC: a full-width `＠`, as Japanese
 * keyboards write it, is understood here and not by mail servers. Undefined if the text is no address that can
 * get mail.
 */
export function readMailbox(
  text: string,
): { readonly address: string; readonly key: string } | undefined {
  if (text.length > ADDRESS_BYTES_MAX || !text.isWellFormed()) return undefined
  const address = text.normalize('NFKC')
  const read = readEmailAddress(address)
  return read === undefined ? undefined : { address, key: `${read.local}@${read.domain}` }
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
