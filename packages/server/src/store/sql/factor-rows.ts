import {
  NO_FACTORS,
  type FactorKind,
  type FactorSummary,
  type FactorView,
  type NewFactor,
  type PasskeyFactor,
  type TotpFactor,
} from '../factors.ts'
import type { AuditContext } from '../audit-context.ts'
import { forgetTrusted } from './account-rows.ts'
import { columnsOf } from './columns.ts'
import type { Row, Transaction } from './database.ts'

const factors = columnsOf('factors')
const accounts = columnsOf('accounts')

/** Reads what a sign-in must know. An account without a row has no factors. */
export async function viewFactors(tx: Transaction, accountId: string): Promise<FactorView> {
  const row = await tx.get(
    `SELECT a.factor_due_at, a.credentials_version,
            EXISTS (SELECT 1 FROM factors f WHERE f.account_id = a.id AND f.kind = 'totp') AS has_totp,
            (SELECT count(*) FROM factors f WHERE f.account_id = a.id AND f.kind = 'passkey') AS passkeys,
            (SELECT count(*) FROM recovery_codes r WHERE r.account_id = a.id) AS recovery_codes
     FROM accounts a WHERE a.id = ?`,
    accountId,
  )
  if (row === undefined) return NO_FACTORS
  return {
    hasTotp: factors.flag(row, 'has_totp'),
    passkeys: factors.integer(row, 'passkeys'),
    recoveryCodes: factors.integer(row, 'recovery_codes'),
    dueAt: accounts.integerOrUndefined(row, 'factor_due_at'),
    version: accounts.integer(row, 'credentials_version'),
  }
}

/** Lists the factors of an account, the oldest first. */
export async function listFactors(
  tx: Transaction,
  accountId: string,
): Promise<readonly FactorSummary[]> {
  return (
    await tx.all('SELECT * FROM factors WHERE account_id = ? ORDER BY created_at, id', accountId)
  ).map((row) => ({
    id: factors.text(row, 'id'),
    kind: toKind(row),
    name: factors.text(row, 'name'),
    createdAt: factors.integer(row, 'created_at'),
    lastUsedAt: factors.integerOrUndefined(row, 'last_used_at'),
    isBackedUp: toKind(row) === 'passkey' ? factors.flag(row, 'is_backed_up') : undefined,
    credentialId: factors.textOrUndefined(row, 'credential_id'),
  }))
}

/** Reads a row of an authenticator app. */
export function toTotp(row: Row): TotpFactor {
  return {
    id: factors.text(row, 'id'),
    kind: 'totp',
    name: factors.text(row, 'name'),
    secret: factors.bytes(row, 'secret'),
    lastStep: factors.integer(row, 'last_step'),
  }
}

/** Reads a row of a passkey. */
export function toPasskey(row: Row): PasskeyFactor {
  return {
    id: factors.text(row, 'id'),
    kind: 'passkey',
    name: factors.text(row, 'name'),
    credentialId: factors.text(row, 'credential_id'),
    publicKey: factors.bytes(row, 'public_key'),
    signCount: factors.integer(row, 'sign_count'),
    transports: factors.texts(row, 'transports'),
    isBackupEligible: factors.flag(row, 'is_backup_eligible'),
    isBackedUp: factors.flag(row, 'is_backed_up'),
    aaguid: factors.text(row, 'aaguid'),
  }
}

function toKind(row: Row): FactorKind {
  // Only this folder writes the table, and `FactorSummary` gives the column its type.
  return factors.text(row, 'kind') as FactorKind
}

/** Writes a factor. Returns false if another account, or this one, has the credential already. */
export async function insertFactor(
  tx: Transaction,
  accountId: string,
  factor: NewFactor,
  { at }: AuditContext,
): Promise<boolean> {
  const about = [factor.id, accountId, factor.kind, factor.name, at] as const
  if (factor.kind === 'totp') {
    await tx.run(`DELETE FROM factors WHERE account_id = ? AND kind = 'totp'`, accountId)
    const inserted = await tx.run(
      `INSERT INTO factors (id, account_id, kind, name, created_at, secret, last_step)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...about,
      factor.secret,
      factor.lastStep,
    )
    return inserted === 1
  }
  const inserted = await tx.run(
    `INSERT INTO factors (id, account_id, kind, name, created_at, credential_id, public_key, sign_count,
                          transports, is_backup_eligible, is_backed_up, aaguid)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ...about,
    factor.credentialId,
    factor.publicKey,
    factor.signCount,
    JSON.stringify(factor.transports),
    factor.isBackupEligible ? 1 : 0,
    factor.isBackedUp ? 1 : 0,
    factor.aaguid,
  )
  return inserted === 1
}

/** Whether the account has an authenticator app or a passkey. */
export async function hasFactor(tx: Transaction, accountId: string): Promise<boolean> {
  return (await tx.get('SELECT 1 FROM factors WHERE account_id = ?', accountId)) !== undefined
}

/** Replaces the recovery codes of an account. */
export async function insertRecoveryCodes(
  tx: Transaction,
  accountId: string,
  hashes: readonly Uint8Array[],
): Promise<void> {
  await tx.run('DELETE FROM recovery_codes WHERE account_id = ?', accountId)
  for (const hash of hashes) {
    await tx.run('INSERT INTO recovery_codes (account_id, hash) VALUES (?, ?)', accountId, hash)
  }
}

/**
 * Counts a change of what proves the account. Mailed codes, remembered devices and unfinished sign-ins of before become
 * void.
 */
export async function countChange(tx: Transaction, accountId: string): Promise<void> {
  await tx.run(
    'UPDATE accounts SET credentials_version = credentials_version + 1 WHERE id = ?',
    accountId,
  )
  await forgetTrusted(tx, accountId)
}

/** Forgets all wrong guesses at the factors of an account. */
export async function forgetGuesses(tx: Transaction, accountId: string): Promise<void> {
  await tx.run('DELETE FROM factor_guesses WHERE account_id = ?', accountId)
}

/** Deletes everything about the factors of an account that is deleted. */
export async function deleteFactorsOf(tx: Transaction, accountId: string): Promise<void> {
  for (const table of [
    'factors',
    'recovery_codes',
    'factor_guesses',
    'challenges',
    'trusted_devices',
  ]) {
    await tx.run(`DELETE FROM ${table} WHERE account_id = ?`, accountId)
  }
}
