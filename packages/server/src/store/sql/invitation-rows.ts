import type { Invitation, InvitationState } from '../invitations.ts'
import { columnsOf } from './columns.ts'
import type { Row, Transaction } from './database.ts'

const invitations = columnsOf('invitations')

/** Selects the columns that {@link toInvitation} reads, as the beginning of a query. */
export const SELECT_INVITATION = `SELECT i.*, t.name AS tenant_name, a.username AS inviter
  FROM invitations i JOIN tenants t ON t.id = i.tenant_id LEFT JOIN accounts a ON a.id = i.inviter_id`

/** Reads an invitation in any state. */
export async function findInvitation(tx: Transaction, id: string): Promise<Invitation | undefined> {
  const row = await tx.get(`${SELECT_INVITATION} WHERE i.id = ?`, id)
  return row === undefined ? undefined : toInvitation(row)
}

/** Withdraws the open invitations that an account sent for a tenant. */
export async function withdrawSentBy(
  tx: Transaction,
  accountId: string,
  tenantId: string,
): Promise<void> {
  await tx.run(
    `UPDATE invitations SET state = 'withdrawn'
     WHERE tenant_id = ? AND inviter_id = ? AND state = 'open'`,
    tenantId,
    accountId,
  )
}

/** Deletes all invitations that an account sent, or that were sent to its verified address. */
export async function deleteInvitationsOf(tx: Transaction, accountId: string): Promise<void> {
  await tx.run(
    `DELETE FROM invitations WHERE inviter_id = ? OR email_key =
       (SELECT email_key FROM accounts WHERE id = ? AND email_verified_at IS NOT NULL)`,
    accountId,
    accountId,
  )
}

/** Reads a row of {@link SELECT_INVITATION}. */
export function toInvitation(row: Row): Invitation {
  return {
    id: invitations.text(row, 'id'),
    tenantId: invitations.text(row, 'tenant_id'),
    tenantName: invitations.text(row, 'tenant_name'),
    email: { address: invitations.text(row, 'email'), key: invitations.text(row, 'email_key') },
    roles: invitations.texts(row, 'roles'),
    inviterId: invitations.textOrUndefined(row, 'inviter_id'),
    linkHash: invitations.bytes(row, 'link_hash'),
    codeHash: invitations.bytes(row, 'code_hash'),
    mailings: invitations.integer(row, 'mailings'),
    attempts: invitations.integer(row, 'attempts'),
    createdAt: invitations.integer(row, 'created_at'),
    expiresAt: invitations.integer(row, 'expires_at'),
    // Only this folder writes the table, and `Invitation` gives the column its type.
    state: invitations.text(row, 'state') as InvitationState,
  }
}
