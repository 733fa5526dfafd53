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
import type { Database, Transaction } from './database.ts'
import { deleteFactorsOf, viewFactors } from './factor-rows.ts'
import { deleteInvitationsOf } from './invitation-rows.ts'
import { hasSessions, isKnownAddress } from './known-address.ts'
import { appendRevocation, readPosition } from './revocations.ts'
import { deleteSsoOf } from './sso-rows.ts'
import { SESSION_STANDS } from './standing.ts'

const accounts = columnsOf('accounts')

/** An SQL condition that leaves out the shadows of an application's accounts. */
const OWN_ACCOUNTS = 'is_shadow = 0'

/** Accounts in SQL. It is not split, because it lists the methods of one interface. */
export function createAccountStore(db: Database): AccountStore {
  return {
    create: async (account, usernameKey, context) =>
      db.write(async (tx) => {
        if ((await findByLogin(tx, usernameKey)) !== undefined) return 'taken'
        if (!(await insertAccount(tx, account, usernameKey))) return 'email_taken'
        await auditChange(tx, account.id, 'account_created', context)
        return 'created'
      }),

    viewForSignIn: async (usernameKey, from) =>
      viewForSignIn(db, from, (tx) => findByLogin(tx, usernameKey)),

    viewById: async (accountId, from) => viewForSignIn(db, from, (tx) => findById(tx, accountId)),

    find: async (usernameKey) => db.step(async (tx) => findByName(tx, usernameKey)),

    get: async (accountId) => db.step(async (tx) => findById(tx, accountId)),

    page: async (afterKey, limit) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT * FROM accounts WHERE ${OWN_ACCOUNTS} AND username_key > ?
             ORDER BY username_key LIMIT ?`,
            afterKey,
            limit,
          )
        ).map((row) => ({
          account: toAccount(row),
          usernameKey: accounts.text(row, 'username_key'),
        })),
      ),

    list: async () =>
      db.step(async (tx) =>
        (await tx.all(`SELECT * FROM accounts WHERE ${OWN_ACCOUNTS} ORDER BY username_key`)).map(
          toAccount,
        ),
      ),

    count: async () =>
      db.step(async (tx) => {
        const row = await tx.get(`SELECT count(*) AS n FROM accounts WHERE ${OWN_ACCOUNTS}`)
        return accounts.integer(row ?? {}, 'n')
      }),

    sampleHashes: async (fromId, limit) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT password_hash FROM accounts WHERE id >= ? AND password_hash IS NOT NULL
             ORDER BY id LIMIT ?`,
            fromId,
            limit,
          )
        ).map((row) => accounts.text(row, 'password_hash')),
      ),

    disable: async (accountId, context) =>
      change(db, accountId, async (tx) => {
        const changed = await tx.run(
          'UPDATE accounts SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL',
          context.at,
          accountId,
        )
        if (changed === 0) return false
        await auditChange(tx, accountId, 'account_disabled', context)
        await revokeAll(tx, accountId, context)
        return true
      }),

    enable: async (accountId, context) =>
      change(db, accountId, async (tx) => {
        const changed = await tx.run(
          'UPDATE accounts SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL',
          accountId,
        )
        if (changed === 0) return false
        await auditChange(tx, accountId, 'account_enabled', context)
        return true
      }),

    delete: async (accountId, context) =>
      change(db, accountId, async (tx) => deleteAccount(tx, accountId, context)),

    deleteOwn: async (accountId, { passwordHash, sessionId }, context) =>
      change(db, accountId, async (tx) => {
        const mayDelete = await tx.get(
          `SELECT 1 FROM accounts a JOIN sessions s ON s.account_id = a.id
           WHERE a.id = ? AND a.password_hash = ? AND a.disabled_at IS NULL
             AND s.id = ? AND ${SESSION_STANDS}`,
          accountId,
          passwordHash,
          sessionId,
        )
        return mayDelete !== undefined && (await deleteAccount(tx, accountId, context))
      }),

    setPasswordHash: async (accountId, hash, context) =>
      change(db, accountId, async (tx) => {
        await tx.run(
          `UPDATE accounts SET password_hash = ?, credentials_version = credentials_version + 1
           WHERE id = ?`,
          hash,
          accountId,
        )
        await auditChange(tx, accountId, 'password_changed', context)
        await revokeAll(tx, accountId, context)
        return true
      }),

    changePassword: async (accountId, { from, to }, keepSessionId, context) =>
      db.write(
        async (tx) => {
          const changed = await tx.run(
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
          await auditChange(tx, accountId, 'password_changed', context)
          await revokeAllExcept(tx, accountId, keepSessionId, context)
          return 'changed'
        },
        { account: accountId },
      ),

    setEmail: async (accountId, email, context) => setEmail(db, accountId, email, context),

    rename: async (accountId, { username, usernameKey }, context) =>
      db.write(async (tx) => {
        const others = [await findByKey(tx, usernameKey), await findByLogin(tx, usernameKey)]
        if (others.some((each) => each !== undefined && each.id !== accountId)) return 'taken'
        const changed = await tx.run(
          'UPDATE accounts SET username = ?, username_key = ? WHERE id = ?',
          username,
          usernameKey,
          accountId,
        )
        if (changed === 0) return 'unknown'
        await auditChange(tx, accountId, 'account_renamed', context)
        return 'changed'
      }),

    endSessions: async (accountId, keepSessionId, context) =>
      change(db, accountId, async (tx) => {
        await auditChange(tx, accountId, 'sessions_ended', context)
        await revokeAllExcept(tx, accountId, keepSessionId, context)
        return true
      }),

    upgradePasswordHash: async (accountId, from, to) => {
      await db.step(async (tx) =>
        tx.run(
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

async function deleteAccount(
  tx: Transaction,
  accountId: string,
  context: AuditContext,
): Promise<true> {
  await deleteSsoOf(tx, accountId, tx.nowMs())
  await tx.run('DELETE FROM sessions WHERE account_id = ?', accountId)
  await tx.run('DELETE FROM memberships WHERE account_id = ?', accountId)
  await tx.run('DELETE FROM mail_codes WHERE account_id = ?', accountId)
  await deleteFactorsOf(tx, accountId)
  await deleteInvitationsOf(tx, accountId)
  await tx.run('DELETE FROM accounts WHERE id = ?', accountId)
  await auditChange(tx, accountId, 'account_deleted', context)
  await appendRevocation(tx, 'account', accountId, 'hard', context.at)
  return true
}

/** Changes an existing account. `work` returns whether it changed anything. */
async function change(
  db: Database,
  accountId: string,
  work: (tx: Transaction) => Promise<boolean>,
): Promise<Change> {
  return db.write(
    async (tx) => {
      if ((await tx.get('SELECT 1 FROM accounts WHERE id = ?', accountId)) === undefined)
        return 'unknown'
      return (await work(tx)) ? 'changed' : 'unchanged'
    },
    { account: accountId },
  )
}

async function setEmail(
  db: Database,
  accountId: string,
  email: AccountEmail | undefined,
  context: AuditContext,
): Promise<Change | 'taken'> {
  return db.write(async (tx) => {
    const account = await findById(tx, accountId)
    if (account === undefined) return 'unknown'
    const isSame =
      account.email?.address === email?.address &&
      (account.email?.verifiedAt === undefined) === (email?.verifiedAt === undefined)
    if (isSame) return 'unchanged'
    const owner = email && (await findByEmail(tx, email.key))
    if (owner !== undefined && owner.id !== accountId) return 'taken'
    await tx.run(
      `UPDATE accounts SET email = ?, email_key = ?, email_verified_at = ?,
                           credentials_version = credentials_version + 1
       WHERE id = ?`,
      email?.address ?? null,
      email?.key ?? null,
      email?.verifiedAt ?? null,
      accountId,
    )
    await auditChange(
      tx,
      accountId,
      email === undefined ? 'email_removed' : 'email_changed',
      context,
    )
    return 'changed'
  })
}

async function changeRoles(
  db: Database,
  accountId: string,
  context: AuditContext,
  event: AuditEvent,
  role: string,
  apply: (roles: readonly string[]) => readonly string[],
): Promise<Change> {
  return change(db, accountId, async (tx) => {
    const row = await tx.get('SELECT roles FROM accounts WHERE id = ?', accountId)
    const before = accounts.texts(row ?? {}, 'roles')
    const after = apply(before)
    if (after.length === before.length) return false
    await tx.run('UPDATE accounts SET roles = ? WHERE id = ?', JSON.stringify(after), accountId)
    await auditChange(tx, accountId, event, context, role)
    await appendRevocation(tx, 'account', accountId, 'soft', context.at)
    return true
  })
}

async function viewForSignIn(
  db: Database,
  { tenantName, address }: SignInFrom,
  find: (tx: Transaction) => Promise<Account | undefined>,
): Promise<SignInView> {
  return db.read(async (tx) => {
    const position = await readPosition(tx)
    const account = await find(tx)
    const membership = account && (await findMembership(tx, account, tenantName))
    const isKnown = account !== undefined && (await isKnownAddress(tx, account.id, address))
    const known = account !== undefined && (await hasSessions(tx, account.id))
    const factors = account === undefined ? NO_FACTORS : await viewFactors(tx, account.id)
    return { position, account, membership, isKnownAddress: isKnown, hasSessions: known, factors }
  })
}

async function findMembership(
  tx: Transaction,
  account: Account,
  tenantName: string | undefined,
): Promise<Membership | undefined> {
  const row = await tx.get(
    `SELECT m.tenant_id, m.roles, t.name FROM memberships m JOIN tenants t ON t.id = m.tenant_id
     WHERE m.account_id = ? AND t.disabled_at IS NULL
       AND (t.name = ? OR (CAST(? AS TEXT) IS NULL AND t.id = ?))`,
    account.id,
    tenantName ?? null,
    tenantName ?? null,
    account.defaultTenantId ?? null,
  )
  return row === undefined ? undefined : toMembership(row)
}
