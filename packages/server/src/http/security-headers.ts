/**
 * What every answer says to browsers, whatever it is about: no guessing of media types, no embedding by
 * pages of other origins (Fetch, CORP), no address of ours in a Referer, https from now on where we have it
 * (RFC 6797). An answer that says otherwise of itself, as the public keys do, is left alone.
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
