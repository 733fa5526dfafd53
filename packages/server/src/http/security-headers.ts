import { isLoopbackHost } from './dev/loopback.ts'
import type { HttpSettings } from './services.ts'

/**
 * Creates the function that adds security headers to an answer. The headers forbid guessing of media types,
 * embedding by pages of other origins (Fetch, CORP), and URLs of this server in a Referer. If the public URL
 * is https, they also require https for this host (RFC 6797). Other hosts below it may not be ours, so they are
 * covered only on request. Existing headers of the answer stay, for example those of the public keys.
 */
export function createSecurityHeaders({
  publicUrl,
  hstsSubdomains,
}: Pick<HttpSettings, 'publicUrl' | 'hstsSubdomains'>): (response: Response) => Response {
  // With `no-referrer`, forms have the Origin `null`. The pages then need Sec-Fetch-Site, which browsers do not send
  // over http to another machine.
  const { protocol, hostname } = new URL(publicUrl)
  const hasSecFetchSite = protocol === 'https:' || isLoopbackHost(hostname)
  const hsts = `max-age=31536000${hstsSubdomains ? '; includeSubDomains' : ''}`
  const headers = Object.entries({
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': hasSecFetchSite ? 'no-referrer' : 'same-origin',
    ...(publicUrl.startsWith('https:') ? { 'strict-transport-security': hsts } : {}),
  })
  return (response) => {
    for (const [name, value] of headers) {
      if (!response.headers.has(name)) response.headers.set(name, value)
    }
    return response
  }
}
