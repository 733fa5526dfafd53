/** How many rows a page has by default. */
const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1_000

/** Returns the limit of a page. Throws a `TypeError` unless it is a whole number from 1 to 1,000. */
export function assertLimit(limit: number = LIMIT_DEFAULT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit
  throw new TypeError(`limit must be a whole number from 1 to ${LIMIT_MAX}.`)
}

/**
 * Makes a page of `limit` rows. The caller has read one more row than `limit`, if there was one. `next` is
 * the cursor of the next page, made from the last row of this page. It is undefined on the last page.
 */
export function cutPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (last: Row) => string,
): { readonly rows: readonly Row[]; readonly next: string | undefined } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const next = rows.length > limit && last !== undefined ? cursorOf(last) : undefined
  return { rows: page, next }
}
