/**
 * Adds the headers for browsers to an answer: no guessing of media types, no embedding by pages of other
 * origins (Fetch, CORP), no URL of this server in a Referer, and https only if the public URL is https
 * (RFC 6797). A header that the answer has already stays, as with the public keys.
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
