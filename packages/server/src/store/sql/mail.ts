import type { EpochMs } from '../../base/clock.ts'
import type { MailKind, MailLocale, MailState, MailSummary, NewMail } from '../rows.ts'
import type { ClaimedMail, MailFailure, MailStore } from '../store.ts'
import { columnsOf } from './columns.ts'
import type { Database, Row, Transaction } from './database.ts'

const mails = columnsOf('mails')

/**
 * Writes mails into the outbox. Call it inside a transaction. A change that writes several audit lines with
 * one context writes its mails once.
 */
export async function insertMails(tx: Transaction, list: readonly NewMail[] = []): Promise<void> {
  for (const mail of list) {
    await tx.run(
      `INSERT INTO mails (id, kind, recipient, locale, sealed, account_id, created_at, not_after,
                          state, attempts, due_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?) ON CONFLICT (id) DO NOTHING`,
      mail.id,
      mail.kind,
      mail.recipient ?? null,
      mail.locale,
      mail.sealed,
      mail.accountId ?? null,
      mail.createdAt,
      mail.notAfter,
      mail.createdAt,
    )
  }
}

/** The outbox in SQL. */
export function createMailStore(db: Database): MailStore {
  return {
    add: async (list) => db.write(async (tx) => insertMails(tx, list), 'none'),

    claim: async (now, leaseMs, limit) => {
      // Most calls find nothing, and a read takes no lock.
      const due = await db.step(async (tx) =>
        tx.get(`SELECT 1 FROM mails WHERE ${DUE} LIMIT 1`, now),
      )
      return due === undefined ? [] : db.write(async (tx) => claim(tx, now, leaseMs, limit))
    },

    noteSent: async (id, now) =>
      db.write(async (tx) => {
        const state = await stateOf(tx, id)
        if (state !== 'waiting') return state === undefined ? 'unknown' : 'unchanged'
        if ((await tx.run('DELETE FROM mails WHERE id = ? AND recipient IS NULL', id)) === 0) {
          await tx.run(`UPDATE mails SET state = 'sent', ${FINISH} WHERE id = ?`, now, id)
        }
        return 'changed'
      }, 'none'),

    noteFailed: async (id, failure, now) =>
      db.write(async (tx) => {
        if ((await stateOf(tx, id)) === undefined) return 'unknown'
        return (await noteFailed(tx, id, failure, now)) === 0 ? 'unchanged' : 'changed'
      }, 'none'),

    nextDueAt: async () =>
      db.step(async (tx) => {
        const row = await tx.get('SELECT min(due_at) AS due_at FROM mails WHERE due_at IS NOT NULL')
        return mails.integerOrUndefined(row ?? {}, 'due_at')
      }),

    list: async ({ state, limit, before = Number.MAX_SAFE_INTEGER }) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT * FROM mails WHERE number < ? AND recipient IS NOT NULL
             ${state === undefined ? '' : 'AND state = ?'} ORDER BY number DESC LIMIT ?`,
            before,
            ...(state === undefined ? [] : [state]),
            limit,
          )
        ).map(toSummary),
      ),

    purge: async (keptMs, limit) =>
      db.write(
        async (tx) =>
          tx.run(
            'DELETE FROM mails WHERE number IN (SELECT number FROM mails WHERE done_at < ? LIMIT ?)',
            tx.nowMs() - keptMs,
            limit,
          ),
        'none',
      ),
  }
}

const DUE = 'due_at <= ?'

/** Erases the values of a mail that no longer waits. Its parameter is the time. */
const FINISH = 'done_at = ?, due_at = NULL, sealed = NULL'

async function claim(
  tx: Transaction,
  now: EpochMs,
  leaseMs: number,
  limit: number,
): Promise<readonly ClaimedMail[]> {
  return (
    await tx.all(
      `UPDATE mails SET attempts = attempts + 1, due_at = ?
       WHERE number IN (SELECT number FROM mails WHERE ${DUE} ORDER BY due_at LIMIT ?)
       RETURNING *`,
      now + leaseMs,
      now,
      limit,
    )
  ).map(toClaimed)
}

async function noteFailed(
  tx: Transaction,
  id: string,
  failure: MailFailure,
  now: EpochMs,
): Promise<number> {
  const { attempt, reason } = failure
  const mine = `WHERE id = ? AND state = 'waiting' AND attempts = ?`
  return failure.kind === 'retry'
    ? await tx.run(
        `UPDATE mails SET due_at = ?, reason = ? ${mine}`,
        failure.retryAt,
        reason,
        id,
        attempt,
      )
    : await tx.run(
        `UPDATE mails SET state = 'failed', reason = ?, ${FINISH} ${mine}`,
        reason,
        now,
        id,
        attempt,
      )
}

/**
 * Gives up all mails that wait: a restored database does not know which of them were handed over after the
 * backup was made, and no mail may be sent twice. Call it inside a transaction.
 */
export async function failWaiting(tx: Transaction, reason: string, now: EpochMs): Promise<void> {
  await tx.run(
    `UPDATE mails SET state = 'failed', reason = ?, ${FINISH} WHERE state = 'waiting'`,
    reason,
    now,
  )
}

async function stateOf(tx: Transaction, id: string): Promise<string | undefined> {
  const row = await tx.get('SELECT state FROM mails WHERE id = ?', id)
  return row === undefined ? undefined : mails.text(row, 'state')
}

function toMail(row: Row): Omit<NewMail, 'sealed'> {
  return {
    id: mails.text(row, 'id'),
    // Only this folder writes the table, and `NewMail` gives both columns their type.
    kind: mails.text(row, 'kind') as MailKind,
    locale: mails.text(row, 'locale') as MailLocale,
    recipient: mails.textOrUndefined(row, 'recipient'),
    accountId: mails.textOrUndefined(row, 'account_id'),
    createdAt: mails.integer(row, 'created_at'),
    notAfter: mails.integer(row, 'not_after'),
  }
}

function toClaimed(row: Row): ClaimedMail {
  return {
    ...toMail(row),
    sealed: mails.bytes(row, 'sealed'),
    attempt: mails.integer(row, 'attempts'),
  }
}

function toSummary(row: Row): MailSummary {
  return {
    ...toMail(row),
    number: mails.integer(row, 'number'),
    // Only this folder writes the table.
    state: mails.text(row, 'state') as MailState,
    attempts: mails.integer(row, 'attempts'),
    dueAt: mails.integerOrUndefined(row, 'due_at'),
    reason: mails.textOrUndefined(row, 'reason'),
  }
}
