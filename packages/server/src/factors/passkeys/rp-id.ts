import { isIP } from 'node:net'

/**
 * The RP ID: the domain that passkeys belong to (WebAuthn Level 3 §5.1.2, "RP ID"). Browsers offer a passkey only on
 * pages of its RP ID and the subdomains. A passkey cannot move to another RP ID, so the first start chooses it and the
 * store keeps it.
 */

/** Why a host or an RP ID cannot be used. */
export type RpIdReason =
  | 'ip_address'
  | 'insecure_url'
  | 'not_a_domain'
  | 'public_suffix'
  | 'other_domain'

/** The decision of `decideRpId`, which the start carries out. */
export type RpIdDecision =
  /** The stored RP ID is still correct. */
  | { readonly kind: 'use'; readonly rpId: string }
  /** Keep this RP ID in the store, in place of another one if there was one. */
  | { readonly kind: 'store'; readonly rpId: string }
  /** There can be no passkeys at this public URL. Everything else works. */
  | {
      readonly kind: 'unavailable'
      readonly reason: 'ip_address' | 'insecure_url'
      readonly explanation: string
    }
  /** The start must fail with this explanation. */
  | { readonly kind: 'refuse'; readonly explanation: string }

/** The setting that the explanations name. */
const SETTING = 'COUNTERSIGN_PASSKEY_RP_ID'

/**
 * Decides at the start which RP ID passkeys have. Reads nothing but the public suffix list, and that only if the RP ID
 * is new or configured.
 *
 * `stored` is the RP ID of an earlier start, `configured` that of the settings. `hasPasskeys` says whether any account
 * has a passkey: until then the RP ID may change, for instance from `localhost` to the first real domain.
 */
export async function decideRpId({
  stored,
  configured,
  publicUrl,
  hasPasskeys,
}: {
  readonly stored: string | undefined
  readonly configured: string | undefined
  readonly publicUrl: string
  readonly hasPasskeys: boolean
}): Promise<RpIdDecision> {
  const url = new URL(publicUrl)
  if (stored !== undefined && hasPasskeys) return keepOrRefuse(stored, configured, url)

  const unusable = checkUrl(url)
  if (unusable !== undefined) {
    return { kind: 'unavailable', reason: unusable, explanation: explainUnusable(unusable) }
  }
  if (configured !== undefined) {
    const reason = await checkRpId(configured, url.hostname)
    if (reason === undefined) return keepOrStore(stored, configured)
    return { kind: 'refuse', explanation: explainConfigured(reason, url.hostname) }
  }
  if (stored !== undefined && isWithin(url.hostname, stored)) return { kind: 'use', rpId: stored }
  return { kind: 'store', rpId: await defaultRpId(url.hostname) }
}

/**
 * Returns the RP ID of a host that has none yet: its registrable domain, so that passkeys survive a move from
 * `login.example.com` to `auth.example.com`. A host without one, such as `localhost` or `intranet`, is its own RP ID.
 */
export async function defaultRpId(host: string): Promise<string> {
  const domain = await registrableDomain(host)
  // A host with a dot at its end does not end with its registrable domain, and browsers compare the texts.
  return domain !== undefined && isWithin(host, domain) ? domain : host
}

/**
 * Checks an RP ID for a host by the rule of browsers (HTML, "is a registrable domain suffix of or is equal to"): it is
 * the host, or a domain above the host that belongs to one owner. Returns undefined if browsers accept it.
 */
export async function checkRpId(rpId: string, host: string): Promise<RpIdReason | undefined> {
  if (isAddress(host) || isAddress(rpId)) return 'ip_address'
  if (!isDomain(rpId)) return 'not_a_domain'
  if (rpId === host) return undefined
  if (!isWithin(host, rpId)) return 'other_domain'
  const domain = await registrableDomain(host)
  return domain !== undefined && isWithin(rpId, domain) ? undefined : 'public_suffix'
}

function keepOrStore(stored: string | undefined, rpId: string): RpIdDecision {
  return { kind: stored === rpId ? 'use' : 'store', rpId }
}

function keepOrRefuse(stored: string, configured: string | undefined, url: URL): RpIdDecision {
  if (configured !== undefined && configured !== stored) {
    return {
      kind: 'refuse',
      explanation: explainChange(
        stored,
        `${SETTING} is ${configured}`,
        `Set ${SETTING}=${stored} or remove it`,
      ),
    }
  }
  if (checkUrl(url) === undefined && isWithin(url.hostname, stored)) {
    return { kind: 'use', rpId: stored }
  }
  return {
    kind: 'refuse',
    explanation: explainChange(
      stored,
      `the public URL is ${url.origin}`,
      `Set the public URL back to https:// and ${stored} or a subdomain of it`,
    ),
  }
}

/** Browsers offer passkeys only to secure pages, and never to pages of an address. */
function checkUrl({ protocol, hostname }: URL): 'ip_address' | 'insecure_url' | undefined {
  if (isAddress(hostname)) return 'ip_address'
  return protocol === 'https:' || isWithin(hostname, 'localhost') ? undefined : 'insecure_url'
}

function isAddress(host: string): boolean {
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0
}

/** Whether the text is a host in the spelling of browsers: lower case, no port, Punycode. */
function isDomain(text: string): boolean {
  const url = `https://${text}/`
  return /^[a-z0-9._-]{1,253}$/.test(text) && URL.canParse(url) && new URL(url).hostname === text
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`)
}

/**
 * Returns the domain that a person can register, such as `example.co.uk`. Suffixes of hosting companies count too, such
 * as `github.io`: browsers know them, and other customers own the neighbours.
 */
async function registrableDomain(host: string): Promise<string | undefined> {
  const { getDomain } = await import('tldts')
  return getDomain(host, { allowPrivateDomains: true }) ?? undefined
}

function explainUnusable(reason: 'ip_address' | 'insecure_url'): string {
  return reason === 'ip_address'
    ? 'Passkeys are off, because the host of the public URL is an IP address. Browsers bind passkeys to a domain. Use a domain in the public URL.'
    : 'Passkeys are off, because the public URL is plain http. Browsers offer passkeys only on https and on localhost. Use https in the public URL.'
}

const CONFIGURED: Record<RpIdReason, string> = {
  ip_address: 'It is an IP address.',
  insecure_url: 'The public URL is plain http.',
  not_a_domain: 'It is not a domain in lower case without scheme, port and path.',
  public_suffix: 'It is a suffix under which anybody can register names.',
  other_domain: 'The host of the public URL is not in this domain.',
}

function explainConfigured(reason: RpIdReason, host: string): string {
  return `Browsers reject ${SETTING}. ${CONFIGURED[reason]} It must be ${host}, or a domain above it that you own. Remove it to use the default.`
}

function explainChange(stored: string, found: string, back: string): string {
  return [
    `Passkeys were registered for ${stored}, but ${found}.`,
    'Browsers would not find these passkeys any more, and people who log in with them could not log in.',
    `${back}.`,
    'To change the domain, first remove all passkeys with countersign accounts factors reset. Everybody then registers a new one.',
  ].join(' ')
}
