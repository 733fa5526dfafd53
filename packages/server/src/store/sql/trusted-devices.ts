import type { FactorStore } from '../factors.ts'
import { appendAudit, auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Database } from './database.ts'
import { SESSION_STANDS } from './standing.ts'

const devices = columnsOf('trusted_devices')

/** A remembered device counts only for the credentials with which it was remembered. */
const CURRENT = `d.account_id = ? AND d.expires_at > ? AND d.version =
  (SELECT a.credentials_version FROM accounts a WHERE a.id = d.account_id)`

/** Remembered devices in SQL. */
export function createDeviceStore(
  db: Database,
): Pick<FactorStore, 'trust' | 'isTrusted' | 'trusted' | 'forgetDevices'> {
  return {
    trust: async (device, sessionId) =>
      db.write(
        async (tx) => {
          const { hash, accountId, createdAt, expiresAt, userAgent, address } = device
          // A new password meanwhile ended the session. The device would count for the credentials after it.
          const inserted = await tx.run(
            `INSERT INTO trusted_devices (hash, account_id, version, created_at, expires_at, user_agent,
                                        address)
           SELECT ?, a.id, a.credentials_version, ?, ?, ?, ?
           FROM sessions s JOIN accounts a ON a.id = s.account_id
           WHERE s.id = ? AND a.id = ? AND ${SESSION_STANDS}`,
            hash,
            createdAt,
            expiresAt,
            userAgent,
            address,
            sessionId,
            accountId,
          )
          if (inserted === 0) return false
          await appendAudit(tx, {
            at: createdAt,
            actor: accountId,
            event: 'device_trusted',
            outcome: 'ok',
            accountId,
            sessionId: undefined,
            address,
            detail: undefined,
          })
          return true
        },
        { account: device.accountId },
      ),

    isTrusted: async (accountId, hash) =>
      db.step(
        async (tx) =>
          (await tx.get(
            `SELECT 1 FROM trusted_devices d WHERE d.hash = ? AND ${CURRENT}`,
            hash,
            accountId,
            tx.nowMs(),
          )) !== undefined,
      ),

    trusted: async (accountId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `SELECT d.* FROM trusted_devices d WHERE ${CURRENT} ORDER BY d.created_at DESC`,
            accountId,
            tx.nowMs(),
          )
        ).map((row) => ({
          accountId,
          createdAt: devices.integer(row, 'created_at'),
          expiresAt: devices.integer(row, 'expires_at'),
          userAgent: devices.text(row, 'user_agent'),
          address: devices.text(row, 'address'),
        })),
      ),

    forgetDevices: async (accountId, context) =>
      db.write(async (tx) => {
        const forgotten = await tx.run(
          'DELETE FROM trusted_devices WHERE account_id = ?',
          accountId,
        )
        if (forgotten > 0) await auditChange(tx, accountId, 'devices_forgotten', context)
        return forgotten
      }),
  }
}
