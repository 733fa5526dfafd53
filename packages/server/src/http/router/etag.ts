/**
 * Whether the client has the current version (RFC 9110 §13.1.2). The comparison is weak, because proxies that
 * compress mark the tag as weak.
 */
export function isFresh(request: Request, etag: string): boolean {
  const ifNoneMatch = request.headers.get('if-none-match')
  if (ifNoneMatch === null) return false
  return ifNoneMatch.split(',').some((tag) => {
    const plain = tag.trim().replace(/^W\//, '')
    return plain === '*' || plain === etag
  })
}
