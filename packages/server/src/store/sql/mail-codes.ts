import type { EpochMs } from '../../base/clock.ts'
import { limits } from '../../base/limits.ts'
import { decideCode, recogniseCode } from '../decide-code.ts'
import {
  SIGN_UP_SUBJECT,
  type Addressee,
  type CodeEffect,
  type MailCode,
  type MailCodeStore,
  type MailPurpose,
  type NewMailCode,
  type Redeemed,
} from '../mail-codes.ts'
import type { Account } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import {
  findByEmail,
  findById,
  findByKey,
  insertAccount,
  revokeAll,
  revokeAllExcept,
} from './account-rows.ts'
import { auditChange, auditRefusal } from './audit.ts'
import { columnsOf } from './columns.ts'
import { consume } from './consume.ts'
import type { Database, Row, Transaction } from './database.ts'
import { hasFactor } from './factor-rows.ts'
import { insertMails } from './mail.ts'
import { readPosition } from './revocations.ts'

const codes = columnsOf('mail_codes')

/** The kind of the ids that a redeemed code consumes: see `Store.consume`. */
const CONSUMED = 'mail_code'

/** Mailed codes in SQL. */
export function createMailCodeStore(db: Database): MailCodeStore {
  return {
    findAddressee: async (emailKey) => db.read(async (tx) => findAddressee(tx, emailKey)),

    issue: async (code, context) =>
      db.write(async (tx) => {
        if (code.accountId !== undefined && !isCurrent(await findById(tx, code.accountId), code)) {
          return 'outdated'
        }
        await insertCode(tx, code)
        await auditChange(tx, code.accountId, 'code_sent', context, code.purpose)
        return 'issued'
      }),

    check: async (presented, context) =>
      db.write(async (tx) => {
        const code = await findCode(tx, presented.id)
        if (code === undefined) return { ok: false, code: 'code_void', purpose: undefined }
        const { purpose } = code
        const decision = decideCode(code, presented, tx.nowMs())
        if (!decision.ok) {
          if (decision.code === 'code_wrong') await countWrong(tx, code, context)
          return { ...decision, purpose }
        }
        const account = await accountOf(tx, code)
        return code.purpose === 'sign_up' || isCurrent(account, code)
          ? { ...decision, code, account }
          : { ok: false, code: 'code_void', purpose }
      }),

    recognise: async (presented) =>
      db.read(async (tx) => {
        const code = await findCode(tx, presented.id)
        if (code === undefined) return undefined
        const proved = recogniseCode(code, presented, tx.nowMs())
        if (proved === undefined || (proved.hasLink && !(await isUsable(tx, code))))
          return undefined
        const { purpose, email } = code
        const askedFor = code.subject.startsWith(SIGN_UP_SUBJECT) ? 'sign_up' : purpose
        return { purpose, askedFor, email, ...proved }
      }),

    redeem: async (codeId, effect, context) =>
      db.write(async (tx) => {
        const now = tx.nowMs()
        const code = await findCode(tx, codeId)
        if (code === undefined || code.attempts >= limits.codeAttemptsMax) return { kind: 'gone' }
        const account = await accountOf(tx, code)
        if (code.purpose !== 'sign_up' && !isCurrent(account, code)) return { kind: 'gone' }
        if (await isTaken(tx, code, effect)) return { kind: 'taken' }
        const used = { kind: CONSUMED, id: codeId, expiresAt: code.expiresAt }
        if (!(await consume(tx, used, now))) return { kind: 'gone' }
        await tx.run('DELETE FROM mail_codes WHERE id = ?', codeId)
        return apply(tx, code, account, effect, context)
      }),

    purge: async (limit) =>
      db.write(async (tx) =>
        tx.run(
          `DELETE FROM mail_codes WHERE id IN
             (SELECT id FROM mail_codes WHERE expires_at <= ? LIMIT ?)`,
          tx.nowMs(),
          limit,
        ),
      ),
  }
}

/** Uses up a right code as a factor. Call it inside a transaction. Returns false if it is used up, over or void. */
export async function redeemForFactor(
  tx: Transaction,
  codeId: string,
  accountId: string,
  now: EpochMs,
): Promise<boolean> {
  const code = await findCode(tx, codeId)
  if (code?.purpose !== 'second_factor' || code.accountId !== accountId) return false
  if (code.attempts >= limits.codeAttemptsMax || !isCurrent(await accountOf(tx, code), code))
    return false
  const { expiresAt } = code
  await tx.run('DELETE FROM mail_codes WHERE id = ?', codeId)
  return consume(tx, { kind: CONSUMED, id: codeId, expiresAt }, now)
}

async function findAddressee(tx: Transaction, emailKey: string): Promise<Addressee | undefined> {
  const owner = await findByEmail(tx, emailKey)
  if (owner?.email?.verifiedAt !== undefined) return { account: owner, isVerified: true }
  // Before an unproved address: anybody could store the address of somebody else in an account of their own. But
  // somebody who has proved another address does not become the owner of this one by their username.
  const named = await findByKey(tx, emailKey)
  const isNamed = named !== undefined && named.email?.verifiedAt === undefined
  const account = isNamed ? named : owner
  return account && { account, isVerified: false }
}

/** Undefined for a sign-up and for a decoy. */
async function accountOf(tx: Transaction, { accountId }: MailCode): Promise<Account | undefined> {
  return accountId === undefined ? undefined : await findById(tx, accountId)
}

/** Whether nothing has happened to the account that voids the code. */
async function isUsable(tx: Transaction, code: MailCode): Promise<boolean> {
  return code.purpose === 'sign_up' || isCurrent(await accountOf(tx, code), code)
}

/** Whether the account can still use a code that was made for this version of its credentials. */
function isCurrent(
  account: Account | undefined,
  { version }: Pick<MailCode, 'version'>,
): account is Account {
  return account?.disabledAt === undefined && account?.credentialsVersion === version
}

async function insertCode(tx: Transaction, code: NewMailCode): Promise<void> {
  await tx.run(
    'DELETE FROM mail_codes WHERE purpose = ? AND subject = ?',
    code.purpose,
    code.subject,
  )
  await tx.run(
    `INSERT INTO mail_codes (id, purpose, subject, account_id, version, email, email_key, link_hash,
                             code_hash, ticket_hash, position, details, attempts, created_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
    code.id,
    code.purpose,
    code.subject,
    code.accountId ?? null,
    code.version,
    code.email.address,
    code.email.key,
    code.linkHash,
    code.codeHash,
    code.ticketHash,
    await readPosition(tx),
    code.details ?? null,
    code.createdAt,
    code.expiresAt,
  )
}

async function countWrong(tx: Transaction, code: MailCode, context: AuditContext): Promise<void> {
  await tx.run('UPDATE mail_codes SET attempts = attempts + 1 WHERE id = ?', code.id)
  await auditRefusal(tx, code.accountId, 'code_refused', context, code.purpose)
}

/** Whether another account stands in the way of the effect. */
async function isTaken(tx: Transaction, code: MailCode, effect: CodeEffect): Promise<boolean> {
  const owner = await findByEmail(tx, code.email.key)
  if (effect.kind === 'sign_up') {
    return owner !== undefined || (await findByKey(tx, effect.usernameKey)) !== undefined
  }
  return owner?.email?.verifiedAt !== undefined && owner.id !== code.accountId
}

async function apply(
  tx: Transaction,
  code: MailCode,
  account: Account | undefined,
  effect: CodeEffect,
  context: AuditContext,
): Promise<Redeemed> {
  if (effect.kind === 'sign_up') {
    const { address, key } = code.email
    const email = { address, key, verifiedAt: context.at }
    await insertAccount(tx, { ...effect.account, email }, effect.usernameKey)
    await auditChange(tx, effect.account.id, 'account_created', context)
    return { kind: 'done', accountId: effect.account.id, position: await readPosition(tx) }
  }
  // The caller has checked it: every other purpose has an account.
  if (account === undefined) return { kind: 'gone' }
  const done = (position: number): Redeemed => ({ kind: 'done', accountId: account.id, position })
  switch (effect.kind) {
    case 'set_email': {
      await setVerifiedEmail(tx, account, code, context)
      await insertMails(tx, context.mails)
      if (code.purpose === 'change_email') {
        await revokeAllExcept(tx, account.id, effect.keepSessionId, context)
      }
      return done(await readPosition(tx))
    }
    // A mailbox alone does not verify the address of an account with a second factor. Otherwise a stranger could sign up
    // with the address of somebody else, and keep a passkey for an account with that address, now verified.
    case 'reset_password': {
      if (!(await hasFactor(tx, account.id))) await setVerifiedEmail(tx, account, code, context)
      await setHash(tx, account.id, effect.passwordHash)
      await auditChange(tx, account.id, 'password_reset', context)
      await revokeAll(tx, account.id, context)
      return done(await readPosition(tx))
    }
    case 'log_in':
      if (hasVerified(account, code) || (await hasFactor(tx, account.id)))
        return done(code.position)
      await setVerifiedEmail(tx, account, code, context)
      await setHash(tx, account.id, undefined)
      await auditChange(tx, account.id, 'account_reclaimed', context)
      await revokeAll(tx, account.id, context)
      return done(await readPosition(tx))
  }
}

function hasVerified({ email }: Account, code: MailCode): boolean {
  return email?.key === code.email.key && email.verifiedAt !== undefined
}

/**
 * Makes the address of the code the verified address of the account. Removes it from an account that never proved
 * it. Codes that went to another address become void, and so does a username that was the old address.
 */
async function setVerifiedEmail(
  tx: Transaction,
  account: Account,
  code: MailCode,
  context: AuditContext,
): Promise<void> {
  if (hasVerified(account, code)) return
  const owner = await findByEmail(tx, code.email.key)
  if (owner !== undefined && owner.id !== account.id) {
    await tx.run('UPDATE accounts SET email = NULL, email_key = NULL WHERE id = ?', owner.id)
    await auditChange(tx, owner.id, 'email_removed', alone(context))
  }
  await tx.run(
    `UPDATE accounts SET email = ?, email_key = ?, email_verified_at = ?,
                         credentials_version = credentials_version + 1
     WHERE id = ?`,
    code.email.address,
    code.email.key,
    context.at,
    account.id,
  )
  const isChanged = account.email !== undefined && account.email.key !== code.email.key
  if (isChanged) await renameWithAddress(tx, account, code)
  await auditChange(tx, account.id, isChanged ? 'email_changed' : 'email_verified', alone(context))
}

/**
 * Renames an account whose username is its old address. Otherwise the old address would keep logging in, and nobody
 * else could sign up with it.
 */
async function renameWithAddress(
  tx: Transaction,
  { id, email }: Account,
  code: MailCode,
): Promise<void> {
  await tx.run(
    `UPDATE accounts SET username = ?, username_key = ?
     WHERE id = ? AND username_key = ? AND NOT EXISTS
       (SELECT 1 FROM accounts o WHERE o.username_key = ?)`,
    code.email.address,
    code.email.key,
    id,
    email?.key ?? '',
    code.email.key,
  )
}

/** The context of a further audit line of the same step: the mails were written with the first. */
function alone(context: AuditContext): AuditContext {
  return { ...context, mails: undefined }
}

async function setHash(
  tx: Transaction,
  accountId: string,
  hash: string | undefined,
): Promise<void> {
  await tx.run(
    `UPDATE accounts SET password_hash = ?, credentials_version = credentials_version + 1
     WHERE id = ?`,
    hash ?? null,
    accountId,
  )
}

async function findCode(tx: Transaction, id: string): Promise<MailCode | undefined> {
  const row = await tx.get('SELECT * FROM mail_codes WHERE id = ?', id)
  return row === undefined ? undefined : toCode(row)
}

function toCode(row: Row): MailCode {
  const details = row['details']
  const expiresAt: EpochMs = codes.integer(row, 'expires_at')
  return {
    id: codes.text(row, 'id'),
    // Only this file writes the table, and `MailCode` gives the column its type.
    purpose: codes.text(row, 'purpose') as MailPurpose,
    subject: codes.text(row, 'subject'),
    accountId: codes.textOrUndefined(row, 'account_id'),
    version: codes.integer(row, 'version'),
    email: { address: codes.text(row, 'email'), key: codes.text(row, 'email_key') },
    linkHash: codes.bytes(row, 'link_hash'),
    codeHash: codes.bytes(row, 'code_hash'),
    ticketHash: codes.bytes(row, 'ticket_hash'),
    position: codes.integer(row, 'position'),
    details: details === null ? undefined : codes.bytes(row, 'details'),
    attempts: codes.integer(row, 'attempts'),
    createdAt: codes.integer(row, 'created_at'),
    expiresAt,
  }
}
