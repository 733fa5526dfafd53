import type { Account, AccountEmail, AuditEvent, Membership } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import type { Change } from '../change.ts'
import type { AccountStore, SignInFrom, SignInView } from '../store.ts'
import {
  findByEmail,
  findById,
  findByKey,
  findByLogin,
  findByName,
  insertAccount,
  revokeAll,
  revokeAllExcept,
  toAccount,
} from './account-rows.ts'
import { auditChange } from './audit.ts'
import { NO_FACTORS } from '../factors.ts'
import { columnsOf, toMembership } from './columns.ts'
import { step, type SqliteDatabase } from './database.ts'
import { deleteFactorsOf, viewFactors } from './factor-rows.ts'
import { deleteInvitationsOf } from './invitation-rows.ts'
import { hasSessions, isKnownAddress } from './known-address.ts'
import { appendRevocation, readPosition } from './revocations.ts'
import { SESSION_STANDS } from './standing.ts'

const accounts = columnsOf('accounts')

/** An SQL condition that leaves out the shadows of an application's accounts. */
const OWN_ACCOUNTS = 'is_shadow = 0'

/** Accounts on SQLite. It is not split, because it lists the methods of one interface. */
export function createAccountStore(db: SqliteDatabase): AccountStore {
  return {
    create: async (account, usernameKey, context) =>
      db.write(() => {
        if (findByLogin(db, usernameKey) !== undefined) return 'taken'
        if (!insertAccount(db, account, usernameKey)) return 'email_taken'
        auditChange(db, account.id, 'account_created', context)
        return 'created'
      }),

    viewForSignIn: async (usernameKey, from) =>
      viewForSignIn(db, from, () => findByLogin(db, usernameKey)),

    viewById: async (accountId, from) => viewForSignIn(db, from, () => findById(db, accountId)),

    find: async (usernameKey) => step(() => findByName(db, usernameKey)),

    get: async (accountId) => step(() => findById(db, accountId)),

    page: async (afterKey, limit) =>
      step(() =>
        db
          .all(
            `SELECT * FROM accounts WHERE ${OWN_ACCOUNTS} AND username_key > ?
             ORDER BY username_key LIMIT ?`,
            afterKey,
            limit,
          )
          .map((row) => ({
            account: toAccount(row),
            usernameKey: accounts.text(row, 'username_key'),
          })),
      ),

    list: async () =>
      step(() =>
        db.all(`SELECT * FROM accounts WHERE ${OWN_ACCOUNTS} ORDER BY username_key`).map(toAccount),
      ),

    count: async () =>
      step(() => {
        const row = db.get(`SELECT count(*) AS n FROM accounts WHERE ${OWN_ACCOUNTS}`)
        return accounts.integer(row ?? {}, 'n')
      }),

    sampleHashes: async (fromId, limit) =>
      step(() =>
        db
          .all(
            `SELECT password_hash FROM accounts WHERE id >= ? AND password_hash IS NOT NULL
             ORDER BY id LIMIT ?`,
            fromId,
            limit,
          )
          .map((row) => accounts.text(row, 'password_hash')),
      ),

    disable: async (accountId, context) =>
      change(db, accountId, () => {
        const changed = db.run(
          'UPDATE accounts SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          accountId,
        )
        if (changed === 0) return false
        auditChange(db, accountId, 'account_disabled', context)
        revokeAll(db, accountId, context)
        return true
      }),

    enable: async (accountId, context) =>
      change(db, accountId, () => {
        const changed = db.run(
          'UPDATE accounts SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          accountId,
        )
        if (changed === 0) return false
        auditChange(db, accountId, 'account_enabled', context)
        return true
      }),

    delete: async (accountId, context) =>
      change(db, accountId, () => deleteAccount(db, accountId, context)),

    deleteOwn: async (accountId, { passwordHash, sessionId }, context) =>
      change(db, accountId, () => {
        const mayDelete = db.get(
          `SELECT 1 FROM accounts a JOIN sessions s ON s.account_id = a.id
           WHERE a.id = ? AND a.password_hash = ? AND a.disabled_at IS NULL
             AND s.id = ? AND ${SESSION_STANDS}`,
          accountId,
          passwordHash,
          sessionId,
        )
        return mayDelete !== undefined && deleteAccount(db, accountId, context)
      }),

    setPasswordHash: async (accountId, hash, context) =>
      change(db, accountId, () => {
        db.run(
          `UPDATE accounts SET password_hash = ?, credentials_version = credentials_version + 1
           WHERE id = ?`,
          hash,
          accountId,
        )
        auditChange(db, accountId, 'password_changed', context)
        revokeAll(db, accountId, context)
        return true
      }),

    changePassword: async (accountId, { from, to }, keepSessionId, context) =>
      db.write(() => {
        const changed = db.run(
          `UPDATE accounts SET password_hash = ?, credentials_version = credentials_version + 1
           WHERE id = ? AND password_hash = ? AND disabled_at IS NULL AND EXISTS
             (SELECT 1 FROM sessions s
              WHERE s.id = ? AND s.account_id = accounts.id AND ${SESSION_STANDS})`,
          to,
          accountId,
          from,
          keepSessionId,
        )
        if (changed === 0) return 'unchanged'
        auditChange(db, accountId, 'password_changed', context)
        revokeAllExcept(db, accountId, keepSessionId, context)
        return 'changed'
      }),

    setEmail: async (accountId, email, context) => setEmail(db, accountId, email, context),

    rename: async (accountId, { username, usernameKey }, context) =>
      db.write(() => {
        const others = [findByKey(db, usernameKey), findByLogin(db, usernameKey)]
        if (others.some((each) => each !== undefined && each.id !== accountId)) return 'taken'
        const changed = db.run(
          'UPDATE accounts SET username = ?, username_key = ? WHERE id = ?',
          username,
          usernameKey,
          accountId,
        )
        if (changed === 0) return 'unknown'
        auditChange(db, accountId, 'account_renamed', context)
        return 'changed'
      }),

    endSessions: async (accountId, keepSessionId, context) =>
      change(db, accountId, () => {
        auditChange(db, accountId, 'sessions_ended', context)
        revokeAllExcept(db, accountId, keepSessionId, context)
        return true
      }),

    upgradePasswordHash: async (accountId, from, to) => {
      step(() =>
        db.run(
          'UPDATE accounts SET password_hash = ? WHERE id = ? AND password_hash = ?',
          to,
          accountId,
          from,
        ),
      )
    },

    addRole: async (accountId, role, context) =>
      changeRoles(db, accountId, context, 'role_added', role, (roles) =>
        roles.includes(role) ? roles : [...roles, role].toSorted(),
      ),

    removeRole: async (accountId, role, context) =>
      changeRoles(db, accountId, context, 'role_removed', role, (roles) =>
        roles.filter((each) => each !== role),
      ),
  }
}

function deleteAccount(db: SqliteDatabase, accountId: string, context: AuditContext): true {
  db.run('DELETE FROM sessions WHERE account_id = ?', accountId)
  db.run('DELETE FROM memberships WHERE account_id = ?', accountId)
  db.run('DELETE FROM mail_codes WHERE account_id = ?', accountId)
  deleteFactorsOf(db, accountId)
  deleteInvitationsOf(db, accountId)
  db.run('DELETE FROM accounts WHERE id = ?', accountId)
  auditChange(db, accountId, 'account_deleted', context)
  appendRevocation(db, 'account', accountId, 'hard', context.at)
  return true
}

/** Changes an existing account. `work` returns whether it changed anything. */
function change(db: SqliteDatabase, accountId: string, work: () => boolean): Change {
  return db.write(() => {
    if (db.get('SELECT 1 FROM accounts WHERE id = ?', accountId) === undefined) return 'unknown'
    return work() ? 'changed' : 'unchanged'
  })
}

function setEmail(
  db: SqliteDatabase,
  accountId: string,
  email: AccountEmail | undefined,
  context: AuditContext,
): Change | 'taken' {
  return db.write(() => {
    const account = findById(db, accountId)
    if (account === undefined) return 'unknown'
    const isSame =
      account.email?.address === email?.address &&
      (account.email?.verifiedAt === undefined) === (email?.verifiedAt === undefined)
    if (isSame) return 'unchanged'
    const owner = email && findByEmail(db, email.key)
    if (owner !== undefined && owner.id !== accountId) return 'taken'
    db.run(
      `UPDATE accounts SET email = ?, email_key = ?, email_verified_at = ?,
                           credentials_version = credentials_version + 1
       WHERE id = ?`,
      email?.address ?? null,
      email?.key ?? null,
      email?.verifiedAt ?? null,
      accountId,
    )
    auditChange(db, accountId, email === undefined ? 'email_removed' : 'email_changed', context)
    return 'changed'
  })
}

function changeRoles(
  db: SqliteDatabase,
  accountId: string,
  context: AuditContext,
  event: AuditEvent,
  role: string,
  apply: (roles: readonly string[]) => readonly string[],
): Change {
  return change(db, accountId, () => {
    const row = db.get('SELECT roles FROM accounts WHERE id = ?', accountId)
    const before = accounts.texts(row ?? {}, 'roles')
    const after = apply(before)
    if (after.length === before.length) return false
    db.run('UPDATE accounts SET roles = ? WHERE id = ?', JSON.stringify(after), accountId)
    auditChange(db, accountId, event, context, role)
    appendRevocation(db, 'account', accountId, 'soft', context.at)
    return true
  })
}

function viewForSignIn(
  db: SqliteDatabase,
  { tenantName, address }: SignInFrom,
  find: () => Account | undefined,
): SignInView {
  return db.read(() => {
    const position = readPosition(db)
    const account = find()
    const membership = account && findMembership(db, account, tenantName)
    const isKnown = account !== undefined && isKnownAddress(db, account.id, address)
    const known = account !== undefined && hasSessions(db, account.id)
    const factors = account === undefined ? NO_FACTORS : viewFactors(db, account.id)
    return { position, account, membership, isKnownAddress: isKnown, hasSessions: known, factors }
  })
}

function findMembership(
  db: SqliteDatabase,
  account: Account,
  tenantName: string | undefined,
): Membership | undefined {
  const row = db.get(
    `SELECT m.tenant_id, m.roles, t.name FROM memberships m JOIN tenants t ON t.id = m.tenant_id
     WHERE m.account_id = ? AND t.disabled_at IS NULL
       AND (t.name = ? OR (? IS NULL AND t.id = ?))`,
    account.id,
    tenantName ?? null,
    tenantName ?? null,
    account.defaultTenantId ?? null,
  )
  return row === undefined ? undefined : toMembership(row)
}
