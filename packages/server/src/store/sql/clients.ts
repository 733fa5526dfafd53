import type { Client, ClientSecret } from '../rows.ts'
import type { Change } from '../change.ts'
import type { ClientStore, ClientSummary, ClientView } from '../store.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'
import { appendRevocation, readPosition } from './revocations.ts'

const clients = columnsOf('clients')
const clientSecrets = columnsOf('client_secrets')

/** A client has at most its current secret, and the secret that will replace it. */
const SECRETS_MAX = 2

/** Service accounts in SQL. It is not split, because it lists the methods of one interface. */
export function createClientStore(db: Database): ClientStore {
  return {
    create: async (client, secret, context) =>
      db.write(async (tx) => {
        const created = await tx.run(
          `INSERT INTO clients (id, name, roles, tenant_id, disabled_at, hard_position, created_at)
           VALUES (?, ?, ?, ?, NULL, 0, ?) ON CONFLICT (name) DO NOTHING`,
          client.id,
          client.name,
          JSON.stringify(client.roles),
          client.tenantId ?? null,
          client.createdAt,
        )
        if (created === 0) return 'taken'
        await insertSecret(tx, client.id, secret)
        await auditChange(tx, client.id, 'client_created', context, secret.id)
        return 'created'
      }),

    view: async (clientId) => db.read(async (tx) => readView(tx, clientId)),

    list: async () => db.read(async (tx) => list(tx)),

    find: async (name) =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT * FROM clients WHERE name = ?', name)
        return row === undefined ? undefined : toClient(row)
      }),

    disable: async (clientId, context) =>
      change(db, clientId, async (tx) => {
        const changed = await tx.run(
          'UPDATE clients SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          clientId,
        )
        if (changed === 0) return false
        await auditChange(tx, clientId, 'client_disabled', context)
        const position = await appendRevocation(tx, 'client', clientId, 'hard', context.at)
        await tx.run('UPDATE clients SET hard_position = ? WHERE id = ?', position, clientId)
        return true
      }),

    enable: async (clientId, context) =>
      change(db, clientId, async (tx) => {
        const changed = await tx.run(
          'UPDATE clients SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          clientId,
        )
        if (changed === 0) return false
        await auditChange(tx, clientId, 'client_enabled', context)
        return true
      }),

    setRoles: async (clientId, roles, context) =>
      change(db, clientId, async (tx) => {
        const text = JSON.stringify(roles)
        const changed = await tx.run(
          'UPDATE clients SET roles = ? WHERE id = ? AND roles <> ?',
          text,
          clientId,
          text,
        )
        if (changed === 0) return false
        await auditChange(tx, clientId, 'client_roles_set', context, roles.join(' '))
        await appendRevocation(tx, 'client', clientId, 'soft', context.at)
        return true
      }),

    addSecret: async (clientId, secret, context) =>
      db.write(async (tx) => {
        if (!(await exists(tx, clientId))) return 'unknown'
        if ((await readSecrets(tx, clientId)).length >= SECRETS_MAX) return 'full'
        await insertSecret(tx, clientId, secret)
        await auditChange(tx, clientId, 'client_secret_added', context, secret.id)
        return 'added'
      }),

    removeSecret: async (clientId, secretId, context) =>
      db.write(async (tx) => {
        const removed = await tx.run(
          'DELETE FROM client_secrets WHERE client_id = ? AND id = ?',
          clientId,
          secretId,
        )
        if (removed === 0) return 'unknown'
        await auditChange(tx, clientId, 'client_secret_removed', context, secretId)
        await appendRevocation(tx, 'client', clientId, 'soft', context.at)
        return 'changed'
      }),

    noteUse: async ({ clientId, secretId, at }) =>
      db.write(async (tx) => {
        const noted = await tx.run(
          `UPDATE client_secrets SET last_used_at = ? WHERE client_id = ? AND id = ?
             AND EXISTS (SELECT 1 FROM clients WHERE id = client_id AND disabled_at IS NULL)`,
          at,
          clientId,
          secretId,
        )
        return noted === 0 ? 'refused' : 'noted'
      }, 'none'),
  }
}

/** Changes an existing client. `work` returns whether it changed anything. */
async function change(
  db: Database,
  clientId: string,
  work: (tx: Transaction) => Promise<boolean>,
): Promise<Change> {
  return db.write(async (tx) => {
    if (!(await exists(tx, clientId))) return 'unknown'
    return (await work(tx)) ? 'changed' : 'unchanged'
  })
}

async function exists(tx: Transaction, clientId: string): Promise<boolean> {
  return (await tx.get('SELECT 1 FROM clients WHERE id = ?', clientId)) !== undefined
}

async function readView(tx: Transaction, clientId: string): Promise<ClientView> {
  const position = await readPosition(tx)
  const row = await tx.get(
    `SELECT c.*, t.name AS tenant_name, coalesce(t.hard_position, 0) AS tenant_hard_position,
            c.tenant_id IS NOT NULL AND (t.id IS NULL OR t.disabled_at IS NOT NULL) AS tenant_disabled
     FROM clients c LEFT JOIN tenants t ON t.id = c.tenant_id WHERE c.id = ?`,
    clientId,
  )
  return {
    position,
    client: row === undefined ? undefined : toClient(row),
    tenantName: row === undefined ? undefined : clients.textOrUndefined(row, 'tenant_name'),
    secrets: await readSecrets(tx, clientId),
    tenantDisabled: row !== undefined && clients.flag(row, 'tenant_disabled'),
    tenantHardPosition: row === undefined ? 0 : clients.integer(row, 'tenant_hard_position'),
  }
}

async function list(tx: Transaction): Promise<readonly ClientSummary[]> {
  const rows = await tx.all(
    `SELECT c.*, t.name AS tenant_name FROM clients c LEFT JOIN tenants t ON t.id = c.tenant_id
     ORDER BY c.name`,
  )
  const summaries: ClientSummary[] = []
  for (const row of rows) summaries.push(await summarize(tx, row))
  return summaries
}

async function summarize(tx: Transaction, row: Row): Promise<ClientSummary> {
  const { hardPosition: _, ...client } = toClient(row)
  const secrets = (await readSecrets(tx, client.id)).map(({ hash: __, ...secret }) => secret)
  const tenantName = clients.textOrUndefined(row, 'tenant_name')
  return { ...client, tenantName, secrets }
}

async function readSecrets(tx: Transaction, clientId: string): Promise<ClientSecret[]> {
  return (
    await tx.all(
      'SELECT * FROM client_secrets WHERE client_id = ? ORDER BY created_at, id',
      clientId,
    )
  ).map((row) => ({
    id: clientSecrets.text(row, 'id'),
    hash: clientSecrets.bytes(row, 'hash'),
    createdAt: clientSecrets.integer(row, 'created_at'),
    lastUsedAt: clientSecrets.integerOrUndefined(row, 'last_used_at'),
  }))
}

async function insertSecret(
  tx: Transaction,
  clientId: string,
  secret: ClientSecret,
): Promise<void> {
  await tx.run(
    'INSERT INTO client_secrets (client_id, id, hash, created_at) VALUES (?, ?, ?, ?)',
    clientId,
    secret.id,
    secret.hash,
    secret.createdAt,
  )
}

function toClient(row: Row): Client {
  return {
    id: clients.text(row, 'id'),
    name: clients.text(row, 'name'),
    roles: clients.texts(row, 'roles'),
    tenantId: clients.textOrUndefined(row, 'tenant_id'),
    disabledAt: clients.integerOrUndefined(row, 'disabled_at'),
    hardPosition: clients.integer(row, 'hard_position'),
    createdAt: clients.integer(row, 'created_at'),
  }
}
