import type { Command } from './command.ts'

/**
 * The commands by the first word of their names, in the order of the help and of docs/reference/cli.md. A group
 * is loaded when it is needed, because loading all of them takes longer than most commands run.
 */
const groups: Readonly<Record<string, () => Promise<readonly Command[]>>> = {
  start: async () => [(await import('./start.ts')).start],
  accounts: async () => (await import('./accounts.ts')).accountCommands,
  tenants: async () => (await import('./tenants.ts')).tenantCommands,
  roles: async () => (await import('./roles.ts')).roleCommands,
  sessions: async () => (await import('./sessions.ts')).sessionCommands,
  keys: async () => (await import('./keys.ts')).keyCommands,
  backup: async () => [(await import('./backup.ts')).backup],
  restore: async () => [(await import('./restore.ts')).restore],
  migrate: async () => (await import('./migrate.ts')).migrateCommands,
  mail: async () => (await import('./mail.ts')).mailCommands,
  audit: async () => (await import('./audit.ts')).auditCommands,
  token: async () => (await import('./token.ts')).tokenCommands,
  applications: async () => (await import('./applications.ts')).applicationCommands,
  clients: async () => (await import('./clients.ts')).clientCommands,
}

/** Loads the commands whose names begin with this word, or all commands if there is no such group. */
export async function loadCommands(first: string | undefined): Promise<readonly Command[]> {
  if (first !== undefined && Object.hasOwn(groups, first)) return (await groups[first]?.()) ?? []
  return (await Promise.all(Object.values(groups).map((load) => load()))).flat()
}
