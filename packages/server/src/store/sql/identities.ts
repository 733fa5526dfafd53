import type { Identity, IdentityKey, IdentityStore } from '../identities.ts'
import type { AuditContext } from '../audit-context.ts'
import type { AccountEmail } from '../rows.ts'
import { findById, findByLogin, insertAccount, revokeAll } from './account-rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'
import { countChange, deleteFactorsOf } from './factor-rows.ts'
import { removeGrantsOfAccount } from './sso-rows.ts'
import { SESSION_STANDS } from './standing.ts'
import { writeOrUndo } from './undo.ts'

const identities = columnsOf('identities')

type SignedUp = Awaited<ReturnType<IdentityStore['signUp']>>
type Reclaimed = Awaited<ReturnType<IdentityStore['reclaim']>>

/** Identities of other issuers in SQL. */
export function createIdentityStore(db: Database): IdentityStore {
  return {
    find: async (key) => db.step(async (tx) => find(tx, key)),

    listOf: async (accountId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            'SELECT * FROM identities WHERE account_id = ? ORDER BY linked_at, issuer, subject',
            accountId,
          )
        ).map(toIdentity),
      ),

    signUp: async (account, usernameKey, identity, context) =>
      writeOrUndo<SignedUp>(db, async (tx, undo) => {
        if ((await find(tx, identity)) !== undefined) return 'identity_taken'
        if ((await findByLogin(tx, usernameKey)) !== undefined) return 'taken'
        if (!(await insertAccount(tx, account, usernameKey))) return 'email_taken'
        await auditChange(tx, account.id, 'account_created', context)
        const own = { ...identity, accountId: account.id }
        return (await insert(tx, own, alone(context))) ? 'created' : undo('identity_taken')
      }),

    link: async (identity, { sessionId }, context) =>
      db.write(
        async (tx) => {
          const { accountId } = identity
          const stands = await tx.get(
            `SELECT 1 FROM sessions s WHERE s.id = ? AND s.account_id = ? AND ${SESSION_STANDS}`,
            sessionId,
            accountId,
          )
          if (stands === undefined) return 'refused'
          return (await insert(tx, identity, context)) ? 'linked' : 'taken'
        },
        { account: identity.accountId },
      ),

    unlink: async (accountId, key, { hasMailLogin }, context) =>
      db.write(
        async (tx) => {
          const identity = await find(tx, key)
          if (identity?.accountId !== accountId) return 'unknown'
          if (!(await canLogInWithout(tx, accountId, key, hasMailLogin))) return 'last'
          await remove(tx, key)
          // A sign-in with this identity that is not complete yet becomes void, like a mailed code.
          await countChange(tx, accountId)
          await auditChange(tx, accountId, 'identity_unlinked', context, identity.provider)
          return 'changed'
        },
        { account: accountId },
      ),

    reclaim: async (accountId, email, identity, context) =>
      writeOrUndo<Reclaimed>(
        db,
        async (tx, undo) => {
          if (!(await isUnproved(tx, accountId, email))) return 'outdated'
          if ((await find(tx, identity)) !== undefined) return 'identity_taken'
          await clear(tx, accountId)
          await proveEmail(tx, accountId, email, context)
          const own = { ...identity, accountId }
          if (!(await insert(tx, own, alone(context)))) return undo('identity_taken')
          await auditChange(tx, accountId, 'account_reclaimed', context)
          await revokeAll(tx, accountId, context)
          return 'reclaimed'
        },
        { account: accountId },
      ),

    noteUse: async ({ issuer, subject }, at, label) => {
      await db.write(
        async (tx) =>
          tx.run(
            'UPDATE identities SET last_used_at = ?, label = ? WHERE issuer = ? AND subject = ?',
            at,
            label,
            issuer,
            subject,
          ),
        'none',
      )
    },
  }
}

async function find(
  tx: Transaction,
  { issuer, subject }: IdentityKey,
): Promise<Identity | undefined> {
  const row = await tx.get(
    'SELECT * FROM identities WHERE issuer = ? AND subject = ?',
    issuer,
    subject,
  )
  return row === undefined ? undefined : toIdentity(row)
}

/** Writes an identity and its audit line. Returns false if an account has it, also if another node just wrote it. */
async function insert(
  tx: Transaction,
  identity: Identity,
  context: AuditContext,
): Promise<boolean> {
  const inserted = await tx.run(
    `INSERT INTO identities (issuer, subject, provider, account_id, label, linked_at, last_used_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    identity.issuer,
    identity.subject,
    identity.provider,
    identity.accountId,
    identity.label,
    identity.linkedAt,
    identity.lastUsedAt ?? null,
  )
  if (inserted === 0) return false
  await auditChange(tx, identity.accountId, 'identity_linked', context, identity.provider)
  return true
}

async function remove(tx: Transaction, { issuer, subject }: IdentityKey): Promise<void> {
  await tx.run('DELETE FROM identities WHERE issuer = ? AND subject = ?', issuer, subject)
}

/** Whether the person can still log in after the identity is gone. An authenticator app alone logs nobody in. */
async function canLogInWithout(
  tx: Transaction,
  accountId: string,
  { issuer, subject }: IdentityKey,
  hasMailLogin: boolean,
): Promise<boolean> {
  const found = await tx.get(
    `SELECT 1 FROM accounts a WHERE a.id = ? AND (
       a.password_hash IS NOT NULL
       OR (a.email_verified_at IS NOT NULL AND CAST(? AS INTEGER) = 1)
       OR EXISTS (SELECT 1 FROM factors f WHERE f.account_id = a.id AND f.kind = 'passkey')
       OR EXISTS (SELECT 1 FROM identities i WHERE i.account_id = a.id
                  AND (i.issuer <> ? OR i.subject <> ?)))`,
    accountId,
    hasMailLogin ? 1 : 0,
    issuer,
    subject,
  )
  return found !== undefined
}

/** Whether the account has this address and nobody has proved it. */
async function isUnproved(
  tx: Transaction,
  accountId: string,
  { key }: AccountEmail,
): Promise<boolean> {
  const account = await findById(tx, accountId)
  if (account === undefined || account.disabledAt !== undefined) return false
  return account.email?.key === key && account.email.verifiedAt === undefined
}

/**
 * Removes everything by which whoever made the account could get in again: also applications that they have allowed to
 * act for it. Otherwise a stranger could prepare an account for the owner of the address.
 */
async function clear(tx: Transaction, accountId: string): Promise<void> {
  await tx.run('DELETE FROM identities WHERE account_id = ?', accountId)
  await tx.run('DELETE FROM sso_consents WHERE account_id = ?', accountId)
  await removeGrantsOfAccount(tx, accountId)
  await deleteFactorsOf(tx, accountId)
}

async function proveEmail(
  tx: Transaction,
  accountId: string,
  { address, verifiedAt }: AccountEmail,
  context: AuditContext,
): Promise<void> {
  await tx.run(
    `UPDATE accounts SET password_hash = NULL, email = ?, email_verified_at = ?,
                         credentials_version = credentials_version + 1
     WHERE id = ?`,
    address,
    verifiedAt ?? context.at,
    accountId,
  )
  await auditChange(tx, accountId, 'email_verified', alone(context))
}

/** The context of a further audit line of the same step: the mails are written with the first. */
function alone(context: AuditContext): AuditContext {
  return { ...context, mails: undefined }
}

function toIdentity(row: Row): Identity {
  return {
    issuer: identities.text(row, 'issuer'),
    subject: identities.text(row, 'subject'),
    provider: identities.text(row, 'provider'),
    accountId: identities.text(row, 'account_id'),
    label: identities.text(row, 'label'),
    linkedAt: identities.integer(row, 'linked_at'),
    lastUsedAt: identities.integerOrUndefined(row, 'last_used_at'),
  }
}
