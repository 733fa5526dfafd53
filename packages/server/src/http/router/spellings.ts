import type { RouteDescription } from './route.ts'

/**
 * Returns the paths of a row for the router. Unless the row is exact, it is answered with and without a slash
 * at the end.
 */
export function spellingsOf({ path, isExact }: RouteDescription): readonly string[] {
  // Hono writes a parameter as `:id`.
  const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1')
  if (isExact || pattern === '/' || pattern.endsWith('*')) return [pattern]
  return [pattern, pattern.endsWith('/') ? pattern.slice(0, -1) : `${pattern}/`]
}

/** Returns the value of `Allow` for one path. */
export function allowOf(rows: readonly RouteDescription[], answersOptions: boolean): string {
  const methods = rows.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return [...methods, ...(answersOptions ? ['OPTIONS'] : [])].join(', ')
}
