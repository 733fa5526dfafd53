import type { Clock, EpochMs } from '../../base/clock.ts'
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
import { step, type Row, type SqliteDatabase } from './database.ts'
import { hasFactor } from './factor-rows.ts'
import { insertMails } from './mail.ts'
import { readPosition } from './revocations.ts'

const codes = columnsOf('mail_codes')

/** The kind of the ids that a redeemed code consumes: see `Store.consume`. */
const CONSUMED = 'mail_code'

/** Mailed codes on SQLite. */
export function createMailCodeStore(db: SqliteDatabase, clock: Clock): MailCodeStore {
  return {
    findAddressee: async (emailKey) => step(() => db.read(() => findAddressee(db, emailKey))),

    issue: async (code, context) =>
      db.write(() => {
        if (code.accountId !== undefined && !isCurrent(findById(db, code.accountId), code)) {
          return 'outdated'
        }
        insertCode(db, code)
        auditChange(db, code.accountId, 'code_sent', context, code.purpose)
        return 'issued'
      }),

    check: async (presented, context) =>
      db.write(() => {
        const code = findCode(db, presented.id)
        if (code === undefined) return { ok: false, code: 'code_void', purpose: undefined }
        const { purpose } = code
        const decision = decideCode(code, presented, clock.nowMs())
        if (!decision.ok) {
          if (decision.code === 'code_wrong') countWrong(db, code, context)
          return { ...decision, purpose }
        }
        const account = accountOf(db, code)
        return code.purpose === 'sign_up' || isCurrent(account, code)
          ? { ...decision, code, account }
          : { ok: false, code: 'code_void', purpose }
      }),

    recognise: async (presented) =>
      step(() =>
        db.read(() => {
          const code = findCode(db, presented.id)
          if (code === undefined) return undefined
          const proved = recogniseCode(code, presented, clock.nowMs())
          if (proved === undefined || (proved.hasLink && !isUsable(db, code))) return undefined
          const { purpose, email } = code
          const askedFor = code.subject.startsWith(SIGN_UP_SUBJECT) ? 'sign_up' : purpose
          return { purpose, askedFor, email, ...proved }
        }),
      ),

    redeem: async (codeId, effect, context) =>
      db.write(() => {
        const now = clock.nowMs()
        const code = findCode(db, codeId)
        if (code === undefined || code.attempts >= limits.codeAttemptsMax) return { kind: 'gone' }
        const account = accountOf(db, code)
        if (code.purpose !== 'sign_up' && !isCurrent(account, code)) return { kind: 'gone' }
        if (isTaken(db, code, effect)) return { kind: 'taken' }
        const used = { kind: CONSUMED, id: codeId, expiresAt: code.expiresAt }
        if (!consume(db, used, now)) return { kind: 'gone' }
        db.run('DELETE FROM mail_codes WHERE id = ?', codeId)
        return apply(db, code, account, effect, context)
      }),

    purge: async (limit) =>
      db.write(() =>
        db.run(
          `DELETE FROM mail_codes WHERE id IN
             (SELECT id FROM mail_codes WHERE expires_at <= ? LIMIT ?)`,
          clock.nowMs(),
          limit,
        ),
      ),
  }
}

/** Uses up a right code as a factor. Call it inside a transaction. Returns false if it is used up, over or void. */
export function redeemForFactor(
  db: SqliteDatabase,
  codeId: string,
  accountId: string,
  now: EpochMs,
): boolean {
  const code = findCode(db, codeId)
  if (code?.purpose !== 'second_factor' || code.accountId !== accountId) return false
  if (code.attempts >= limits.codeAttemptsMax || !isCurrent(accountOf(db, code), code)) return false
  const { expiresAt } = code
  db.run('DELETE FROM mail_codes WHERE id = ?', codeId)
  return consume(db, { kind: CONSUMED, id: codeId, expiresAt }, now)
}

function findAddressee(db: SqliteDatabase, emailKey: string): Addressee | undefined {
  const owner = findByEmail(db, emailKey)
  if (owner?.email?.verifiedAt !== undefined) return { account: owner, isVerified: true }
  // Before an unproved address: anybody could store the address of somebody else in an account of their own. But
  // somebody who has proved another address does not become the owner of this one by their username.
  const named = findByKey(db, emailKey)
  const isNamed = named !== undefined && named.email?.verifiedAt === undefined
  const account = isNamed ? named : owner
  return account && { account, isVerified: false }
}

/** Undefined for a sign-up and for a decoy. */
function accountOf(db: SqliteDatabase, { accountId }: MailCode): Account | undefined {
  return accountId === undefined ? undefined : findById(db, accountId)
}

/** Whether nothing has happened to the account that voids the code. */
function isUsable(db: SqliteDatabase, code: MailCode): boolean {
  return code.purpose === 'sign_up' || isCurrent(accountOf(db, code), code)
}

/** Whether the account can still use a code that was made for this version of its credentials. */
function isCurrent(
  account: Account | undefined,
  { version }: Pick<MailCode, 'version'>,
): account is Account {
  return account?.disabledAt === undefined && account?.credentialsVersion === version
}

function insertCode(db: SqliteDatabase, code: NewMailCode): void {
  db.run('DELETE FROM mail_codes WHERE purpose = ? AND subject = ?', code.purpose, code.subject)
  db.run(
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
    readPosition(db),
    code.details ?? null,
    code.createdAt,
    code.expiresAt,
  )
}

function countWrong(db: SqliteDatabase, code: MailCode, context: AuditContext): void {
  db.run('UPDATE mail_codes SET attempts = attempts + 1 WHERE id = ?', code.id)
  auditRefusal(db, code.accountId, 'code_refused', context, code.purpose)
}

/** Whether another account stands in the way of the effect. */
function isTaken(db: SqliteDatabase, code: MailCode, effect: CodeEffect): boolean {
  const owner = findByEmail(db, code.email.key)
  if (effect.kind === 'sign_up') {
    return owner !== undefined || findByKey(db, effect.usernameKey) !== undefined
  }
  return owner?.email?.verifiedAt !== undefined && owner.id !== code.accountId
}

function apply(
  db: SqliteDatabase,
  code: MailCode,
  account: Account | undefined,
  effect: CodeEffect,
  context: AuditContext,
): Redeemed {
  if (effect.kind === 'sign_up') {
    const { address, key } = code.email
    const email = { address, key, verifiedAt: context.at }
    insertAccount(db, { ...effect.account, email }, effect.usernameKey)
    auditChange(db, effect.account.id, 'account_created', context)
    return { kind: 'done', accountId: effect.account.id, position: readPosition(db) }
  }
  // The caller has checked it: every other purpose has an account.
  if (account === undefined) return { kind: 'gone' }
  const done = (position: number): Redeemed => ({ kind: 'done', accountId: account.id, position })
  switch (effect.kind) {
    case 'set_email': {
      setVerifiedEmail(db, account, code, context)
      insertMails(db, context.mails)
      if (code.purpose === 'change_email') {
        revokeAllExcept(db, account.id, effect.keepSessionId, context)
      }
      return done(readPosition(db))
    }
    // A mailbox alone does not verify the address of an account with a second factor. Otherwise a stranger could sign up
    // with the address of somebody else, and keep a passkey for an account with that address, now verified.
    case 'reset_password': {
      if (!hasFactor(db, account.id)) setVerifiedEmail(db, account, code, context)
      setHash(db, account.id, effect.passwordHash)
      auditChange(db, account.id, 'password_reset', context)
      revokeAll(db, account.id, context)
      return done(readPosition(db))
    }
    case 'log_in':
      if (hasVerified(account, code) || hasFactor(db, account.id)) return done(code.position)
      setVerifiedEmail(db, account, code, context)
      setHash(db, account.id, undefined)
      auditChange(db, account.id, 'account_reclaimed', context)
      revokeAll(db, account.id, context)
      return done(readPosition(db))
  }
}

function hasVerified({ email }: Account, code: MailCode): boolean {
  return email?.key === code.email.key && email.verifiedAt !== undefined
}

/**
 * Makes the address of the code the verified address of the account. Removes it from an account that never proved
 * it. Codes that went to another address become void, and so does a username that was the old address.
 */
function setVerifiedEmail(
  db: SqliteDatabase,
  account: Account,
  code: MailCode,
  context: AuditContext,
): void {
  if (hasVerified(account, code)) return
  const owner = findByEmail(db, code.email.key)
  if (owner !== undefined && owner.id !== account.id) {
    db.run('UPDATE accounts SET email = NULL, email_key = NULL WHERE id = ?', owner.id)
    auditChange(db, owner.id, 'email_removed', alone(context))
  }
  db.run(
    `UPDATE accounts SET email = ?, email_key = ?, email_verified_at = ?,
                         credentials_version = credentials_version + 1
     WHERE id = ?`,
    code.email.address,
    code.email.key,
    context.at,
    account.id,
  )
  const isChanged = account.email !== undefined && account.email.key !== code.email.key
  if (isChanged) renameWithAddress(db, account, code)
  auditChange(db, account.id, isChanged ? 'email_changed' : 'email_verified', alone(context))
}

/**
 * Renames an account whose username is its old address. Otherwise the old address would keep logging in, and nobody
 * else could sign up with it.
 */
function renameWithAddress(db: SqliteDatabase, { id, email }: Account, code: MailCode): void {
  db.run(
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

function setHash(db: SqliteDatabase, accountId: string, hash: string | undefined): void {
  db.run(
    `UPDATE accounts SET password_hash = ?, credentials_version = credentials_version + 1
     WHERE id = ?`,
    hash ?? null,
    accountId,
  )
}

function findCode(db: SqliteDatabase, id: string): MailCode | undefined {
  const row = db.get('SELECT * FROM mail_codes WHERE id = ?', id)
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
