/**
 * Creates the function that adds security headers to an answer. The headers forbid guessing of media types,
 * embedding by pages of other origins (Fetch, CORP), and URLs of this server in a Referer. If the public URL
 * is https, they also require https (RFC 6797). Existing headers of the answer stay, for example those of the
 * public keys.
 */
export function createSecurityHeaders(publicUrl: string): (response: Response) => Response {
  const headers = Object.entries({
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    ...(publicUrl.startsWith('https:')
      ? { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }
      : {}),
  })
  return (response) => {
    for (const [name, value] of headers) {
      if (!response.headers.has(name)) response.headers.set(name, value)
    }
    return response
  }
}
