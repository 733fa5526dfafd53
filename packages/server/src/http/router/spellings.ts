import type { RouteDescription } from './route.ts'

/** The paths at which the router answers a row: its own, and unless it is exact one with a slash added. */
export function spellingsOf({ path, isExact }: RouteDescription): readonly string[] {
  // Hono writes a parameter as `:id`.
  const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1')
  return isExact || pattern.endsWith('/') || pattern.endsWith('*')
    ? [pattern]
    : [pattern, `${pattern}/`]
}

/** The value of `Allow` for the methods of one path. */
export function allowOf(rows: readonly RouteDescription[], answersOptions: boolean): string {
  const methods = rows.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return [...methods, ...(answersOptions ? ['OPTIONS'] : [])].join(', ')
}
