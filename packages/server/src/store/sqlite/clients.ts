import type { Client, ClientSecret } from '../rows.ts'
import type { Change } from '../change.ts'
import type { ClientStore, ClientSummary, ClientView } from '../store.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import { step, type Row, type SqliteDatabase } from './database.ts'
import { appendRevocation, readPosition } from './revocations.ts'

const clients = columnsOf('clients')
const clientSecrets = columnsOf('client_secrets')

/** A client has at most its current secret, and the secret that will replace it. */
const SECRETS_MAX = 2

/** Service accounts on SQLite. It is not split, because it lists the methods of one interface. */
export function createClientStore(db: SqliteDatabase): ClientStore {
  return {
    create: async (client, secret, context) =>
      db.write(() => {
        const created = db.run(
          `INSERT INTO clients (id, name, roles, tenant_id, disabled_at, hard_position, created_at)
           VALUES (?, ?, ?, ?, NULL, 0, ?) ON CONFLICT (name) DO NOTHING`,
          client.id,
          client.name,
          JSON.stringify(client.roles),
          client.tenantId ?? null,
          client.createdAt,
        )
        if (created === 0) return 'taken'
        insertSecret(db, client.id, secret)
        auditChange(db, client.id, 'client_created', context, secret.id)
        return 'created'
      }),

    view: async (clientId) => db.read(() => readView(db, clientId)),

    list: async () => db.read(() => list(db)),

    find: async (name) =>
      step(() => {
        const row = db.get('SELECT * FROM clients WHERE name = ?', name)
        return row === undefined ? undefined : toClient(row)
      }),

    disable: async (clientId, context) =>
      change(db, clientId, () => {
        const changed = db.run(
          'UPDATE clients SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          clientId,
        )
        if (changed === 0) return false
        auditChange(db, clientId, 'client_disabled', context)
        const position = appendRevocation(db, 'client', clientId, 'hard', context.at)
        db.run('UPDATE clients SET hard_position = ? WHERE id = ?', position, clientId)
        return true
      }),

    enable: async (clientId, context) =>
      change(db, clientId, () => {
        const changed = db.run(
          'UPDATE clients SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          clientId,
        )
        if (changed === 0) return false
        auditChange(db, clientId, 'client_enabled', context)
        return true
      }),

    setRoles: async (clientId, roles, context) =>
      change(db, clientId, () => {
        const text = JSON.stringify(roles)
        const changed = db.run(
          'UPDATE clients SET roles = ? WHERE id = ? AND roles <> ?',
          text,
          clientId,
          text,
        )
        if (changed === 0) return false
        auditChange(db, clientId, 'client_roles_set', context, roles.join(' '))
        appendRevocation(db, 'client', clientId, 'soft', context.at)
        return true
      }),

    addSecret: async (clientId, secret, context) =>
      db.write(() => {
        if (!exists(db, clientId)) return 'unknown'
        if (readSecrets(db, clientId).length >= SECRETS_MAX) return 'full'
        insertSecret(db, clientId, secret)
        auditChange(db, clientId, 'client_secret_added', context, secret.id)
        return 'added'
      }),

    removeSecret: async (clientId, secretId, context) =>
      db.write(() => {
        const removed = db.run(
          'DELETE FROM client_secrets WHERE client_id = ? AND id = ?',
          clientId,
          secretId,
        )
        if (removed === 0) return 'unknown'
        auditChange(db, clientId, 'client_secret_removed', context, secretId)
        appendRevocation(db, 'client', clientId, 'soft', context.at)
        return 'changed'
      }),

    noteUse: async ({ clientId, secretId, at }) =>
      db.write(() => {
        const noted = db.run(
          `UPDATE client_secrets SET last_used_at = ? WHERE client_id = ? AND id = ?
             AND EXISTS (SELECT 1 FROM clients WHERE id = client_id AND disabled_at IS NULL)`,
          at,
          clientId,
          secretId,
        )
        return noted === 0 ? 'refused' : 'noted'
      }),
  }
}

/** Changes an existing client. `work` returns whether it changed anything. */
function change(db: SqliteDatabase, clientId: string, work: () => boolean): Change {
  return db.write(() => {
    if (!exists(db, clientId)) return 'unknown'
    return work() ? 'changed' : 'unchanged'
  })
}

function exists(db: SqliteDatabase, clientId: string): boolean {
  return db.get('SELECT 1 FROM clients WHERE id = ?', clientId) !== undefined
}

function readView(db: SqliteDatabase, clientId: string): ClientView {
  const position = readPosition(db)
  const row = db.get(
    `SELECT c.*, t.name AS tenant_name, coalesce(t.hard_position, 0) AS tenant_hard_position,
            c.tenant_id IS NOT NULL AND (t.id IS NULL OR t.disabled_at IS NOT NULL) AS tenant_disabled
     FROM clients c LEFT JOIN tenants t ON t.id = c.tenant_id WHERE c.id = ?`,
    clientId,
  )
  return {
    position,
    client: row === undefined ? undefined : toClient(row),
    tenantName: row === undefined ? undefined : clients.textOrUndefined(row, 'tenant_name'),
    secrets: readSecrets(db, clientId),
    tenantDisabled: row !== undefined && clients.flag(row, 'tenant_disabled'),
    tenantHardPosition: row === undefined ? 0 : clients.integer(row, 'tenant_hard_position'),
  }
}

function list(db: SqliteDatabase): readonly ClientSummary[] {
  return db
    .all(
      `SELECT c.*, t.name AS tenant_name FROM clients c LEFT JOIN tenants t ON t.id = c.tenant_id
       ORDER BY c.name`,
    )
    .map((row) => summarize(db, row))
}

function summarize(db: SqliteDatabase, row: Row): ClientSummary {
  const { hardPosition: _, ...client } = toClient(row)
  const secrets = readSecrets(db, client.id).map(({ hash: __, ...secret }) => secret)
  const tenantName = clients.textOrUndefined(row, 'tenant_name')
  return { ...client, tenantName, secrets }
}

function readSecrets(db: SqliteDatabase, clientId: string): ClientSecret[] {
  return db
    .all('SELECT * FROM client_secrets WHERE client_id = ? ORDER BY created_at, id', clientId)
    .map((row) => ({
      id: clientSecrets.text(row, 'id'),
      hash: clientSecrets.bytes(row, 'hash'),
      createdAt: clientSecrets.integer(row, 'created_at'),
      lastUsedAt: clientSecrets.integerOrUndefined(row, 'last_used_at'),
    }))
}

function insertSecret(db: SqliteDatabase, clientId: string, secret: ClientSecret): void {
  db.run(
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
