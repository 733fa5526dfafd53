import type { EpochMs } from '../../base/clock.ts'
import type { Challenge, ChallengePurpose } from '../factors.ts'
import { columnsOf } from './columns.ts'
import type { Row, Transaction } from './database.ts'

const challenges = columnsOf('challenges')

/** Writes a challenge in place of the one that its subject has. */
export async function insertChallenge(tx: Transaction, challenge: Challenge): Promise<void> {
  const { id, purpose, subject, accountId, secretHash, details, createdAt, expiresAt } = challenge
  if (subject !== '') {
    await tx.run('DELETE FROM challenges WHERE purpose = ? AND subject = ?', purpose, subject)
  }
  await tx.run(
    `INSERT INTO challenges (id, purpose, subject, account_id, secret_hash, details, created_at,
                             expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    purpose,
    subject,
    accountId ?? null,
    secretHash,
    details,
    createdAt,
    expiresAt,
  )
}

/** Reads a challenge that has not expired. */
export async function findChallenge(
  tx: Transaction,
  id: string,
  purpose: ChallengePurpose,
  now: EpochMs,
): Promise<Challenge | undefined> {
  const row = await tx.get(
    'SELECT * FROM challenges WHERE id = ? AND purpose = ? AND expires_at > ?',
    id,
    purpose,
    now,
  )
  return row === undefined ? undefined : toChallenge(row)
}

/** Deletes a challenge and returns it, unless it has expired or belongs to something else. */
export async function takeChallenge(
  tx: Transaction,
  id: string,
  purpose: ChallengePurpose,
  subject: string,
  now: EpochMs,
): Promise<Challenge | undefined> {
  const row = await tx.get(
    `DELETE FROM challenges WHERE id = ? AND purpose = ? AND subject = ? AND expires_at > ?
     RETURNING *`,
    id,
    purpose,
    subject,
    now,
  )
  return row === undefined ? undefined : toChallenge(row)
}

function toChallenge(row: Row): Challenge {
  return {
    id: challenges.text(row, 'id'),
    // Only this folder writes the table, and `Challenge` gives the column its type.
    purpose: challenges.text(row, 'purpose') as ChallengePurpose,
    subject: challenges.text(row, 'subject'),
    accountId: challenges.textOrUndefined(row, 'account_id'),
    secretHash: challenges.bytes(row, 'secret_hash'),
    details: challenges.bytes(row, 'details'),
    createdAt: challenges.integer(row, 'created_at'),
    expiresAt: challenges.integer(row, 'expires_at'),
  }
}
