import type { RouteDescription } from './route.ts'

/** The paths at which the router answers a row: unless it is exact, with and without a slash at the end. */
export function spellingsOf({ path, isExact }: RouteDescription): readonly string[] {
  // Hono writes a parameter as `:id`.
  const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1')
  if (isExact || pattern === '/' || pattern.endsWith('*')) return [pattern]
  return [pattern, pattern.endsWith('/') ? pattern.slice(0, -1) : `${pattern}/`]
}

/** The value of `Allow` for the methods of one path. */
export function allowOf(rows: readonly RouteDescription[], answersOptions: boolean): string {
  const methods = rows.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return [...methods, ...(answersOptions ? ['OPTIONS'] : [])].join(', ')
}
