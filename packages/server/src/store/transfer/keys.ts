import type { StoredKey } from '../rows.ts'
import { toKey } from '../sql/keys.ts'
import type { Side } from './side.ts'
import { describeTables } from './tables.ts'

/** No ring has so many keys. */
const KEYS_MAX = 10_000

/** Reads the signing keys of a database that is going to be copied. */
export async function readStoredKeys(side: Side): Promise<readonly StoredKey[]> {
  const table = describeTables().find(({ name }) => name === 'keys')
  if (table === undefined) throw new TypeError('There is no table of keys.')
  const rows = await side.page(table, undefined, KEYS_MAX)
  return rows.map((row) =>
    toKey(Object.fromEntries(table.columns.map(({ name }, i) => [name, row[i]]))),
  )
}
