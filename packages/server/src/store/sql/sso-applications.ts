import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { ClientSecret } from '../rows.ts'
import type { Application, ApplicationStore, ListedSecret } from '../sso.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, GroupCommit, Row, Transaction } from './database.ts'
import { appendRevocation, readPosition } from './revocations.ts'
import { removeGrantsOfApplication } from './sso-rows.ts'

const applications = columnsOf('applications')
const secrets = columnsOf('application_secrets')

/** An application has at most its current secret, and the secret that will replace it. */
const SECRETS_MAX = 2

/** The use of a secret is noted at most this often, in milliseconds: each token request uses one. */
const NOTED_EVERY_MS = 60_000

/** Applications in SQL. It is not split, because it lists the methods of one interface. */
export function createApplicationStore(db: Database, together: GroupCommit): ApplicationStore {
  return {
    create: async (application, secret, context) =>
      db.write(async (tx) => {
        if (!(await insert(tx, application))) return 'taken'
        if (secret !== undefined) await insertSecret(tx, application.id, secret)
        await auditChange(tx, application.id, 'application_created', context, secret?.id)
        return 'created'
      }),

    view: async (applicationId) =>
      db.read(async (tx) => {
        const position = await readPosition(tx)
        const row = await tx.get('SELECT * FROM applications WHERE id = ?', applicationId)
        if (row === undefined) return undefined
        return {
          application: toApplication(row),
          secrets: await readSecrets(tx, applicationId),
          position,
        }
      }),

    find: async (name) =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT * FROM applications WHERE name = ?', name)
        return row === undefined ? undefined : toApplication(row)
      }),

    list: async () =>
      db.read(async (tx) => {
        const listed = []
        for (const row of await tx.all('SELECT * FROM applications ORDER BY name')) {
          const application = toApplication(row)
          const own = (await readSecrets(tx, application.id)).map(withoutHash)
          listed.push({ application, secrets: own })
        }
        return listed
      }),

    change: async (applicationId, { title, registration }, context) =>
      change(db, applicationId, async (tx) => {
        const changed = await tx.run(
          `UPDATE applications SET title = ?, registration = ?
           WHERE id = ? AND (title <> ? OR registration <> ?)`,
          title,
          registration,
          applicationId,
          title,
          registration,
        )
        if (changed === 0) return false
        await auditChange(tx, applicationId, 'application_changed', context)
        return true
      }),

    disable: async (applicationId, context) =>
      change(db, applicationId, async (tx) => {
        const changed = await tx.run(
          'UPDATE applications SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          applicationId,
        )
        if (changed === 0) return false
        await removeGrantsOfApplication(tx, applicationId)
        await auditChange(tx, applicationId, 'application_disabled', context)
        await appendRevocation(tx, 'client', applicationId, 'hard', context.at)
        return true
      }),

    enable: async (applicationId, context) =>
      change(db, applicationId, async (tx) => {
        const changed = await tx.run(
          'UPDATE applications SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          applicationId,
        )
        if (changed === 0) return false
        await auditChange(tx, applicationId, 'application_enabled', context)
        return true
      }),

    delete: async (applicationId, context) =>
      change(db, applicationId, async (tx) => deleteApplication(tx, applicationId, context)),

    addSecret: async (applicationId, secret, context) =>
      db.write(async (tx) => {
        if (!(await exists(tx, applicationId))) return 'unknown'
        if ((await readSecrets(tx, applicationId)).length >= SECRETS_MAX) return 'full'
        await insertSecret(tx, applicationId, secret)
        await auditChange(tx, applicationId, 'application_secret_added', context, secret.id)
        return 'added'
      }),

    removeSecret: async (applicationId, secretId, context) =>
      db.write(async (tx) => {
        const removed = await tx.run(
          'DELETE FROM application_secrets WHERE application_id = ? AND id = ?',
          applicationId,
          secretId,
        )
        if (removed === 0) return 'unknown'
        await auditChange(tx, applicationId, 'application_secret_removed', context, secretId)
        await appendRevocation(tx, 'client', applicationId, 'soft', context.at)
        return 'changed'
      }),

    noteSecretUse: async (applicationId, secretId, at) => {
      await together.run(
        (tx) =>
          tx.run(
            `UPDATE application_secrets SET last_used_at = ?
             WHERE application_id = ? AND id = ? AND (last_used_at IS NULL OR last_used_at <= ?)`,
            at,
            applicationId,
            secretId,
            at - NOTED_EVERY_MS,
          ),
        'none',
      )
    },
  }
}

/** Changes an existing application. `work` returns whether it changed anything. */
async function change(
  db: Database,
  applicationId: string,
  work: (tx: Transaction) => Promise<boolean>,
): Promise<Change> {
  return db.write(async (tx) => {
    if (!(await exists(tx, applicationId))) return 'unknown'
    return (await work(tx)) ? 'changed' : 'unchanged'
  })
}

async function exists(tx: Transaction, applicationId: string): Promise<boolean> {
  return (await tx.get('SELECT 1 FROM applications WHERE id = ?', applicationId)) !== undefined
}

async function insert(tx: Transaction, application: Application): Promise<boolean> {
  const inserted = await tx.run(
    `INSERT INTO applications (id, name, title, registration, disabled_at, created_at)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    application.id,
    application.name,
    application.title,
    application.registration,
    application.disabledAt ?? null,
    application.createdAt,
  )
  return inserted === 1
}

async function insertSecret(
  tx: Transaction,
  applicationId: string,
  secret: ClientSecret,
): Promise<void> {
  await tx.run(
    'INSERT INTO application_secrets (application_id, id, hash, created_at) VALUES (?, ?, ?, ?)',
    applicationId,
    secret.id,
    secret.hash,
    secret.createdAt,
  )
}

async function deleteApplication(
  tx: Transaction,
  applicationId: string,
  context: AuditContext,
): Promise<true> {
  await removeGrantsOfApplication(tx, applicationId)
  for (const table of ['application_secrets', 'sso_consents', 'sso_logins', 'sso_logouts']) {
    await tx.runLong(`DELETE FROM ${table} WHERE application_id = ?`, applicationId)
  }
  await tx.run('DELETE FROM applications WHERE id = ?', applicationId)
  await auditChange(tx, applicationId, 'application_deleted', context)
  await appendRevocation(tx, 'client', applicationId, 'hard', context.at)
  return true
}

async function readSecrets(tx: Transaction, applicationId: string): Promise<ClientSecret[]> {
  return (
    await tx.all(
      'SELECT * FROM application_secrets WHERE application_id = ? ORDER BY created_at, id',
      applicationId,
    )
  ).map((row) => ({
    id: secrets.text(row, 'id'),
    hash: secrets.bytes(row, 'hash'),
    createdAt: secrets.integer(row, 'created_at'),
    lastUsedAt: secrets.integerOrUndefined(row, 'last_used_at'),
  }))
}

function withoutHash({ id, createdAt, lastUsedAt }: ClientSecret): ListedSecret {
  return { id, createdAt, lastUsedAt }
}

function toApplication(row: Row): Application {
  return {
    id: applications.text(row, 'id'),
    name: applications.text(row, 'name'),
    title: applications.text(row, 'title'),
    registration: applications.text(row, 'registration'),
    disabledAt: applications.integerOrUndefined(row, 'disabled_at'),
    createdAt: applications.integer(row, 'created_at'),
  }
}
