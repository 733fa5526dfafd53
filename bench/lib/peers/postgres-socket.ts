import type { Postgres } from '../../../tests/support/postgres.ts'

/** Names the Unix socket of a PostgreSQL for the program of a peer. */
export function socketOf({ folder, port }: Postgres): Readonly<Record<string, string>> {
  return { POSTGRES_SOCKETS: folder, POSTGRES_PORT: String(port) }
}

/** Returns a name such as `PostgreSQL 15.18`. */
export async function versionOf(postgres: Postgres): Promise<string> {
  const [row] = await postgres.query<{ server_version: string }>('SHOW server_version')
  return `PostgreSQL ${row?.server_version.split(' ')[0]}`
}
