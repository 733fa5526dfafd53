import { decideInvitation } from '../decide-invitation.ts'
import type {
  Accepted,
  AcceptRefusal,
  Invitation,
  InvitationStore,
  InvitationSummary,
  NewInvitation,
  PresentedInvitation,
} from '../invitations.ts'
import type { Account } from '../rows.ts'
import type { AuditContext } from '../audit-context.ts'
import {
  areTooManyRoles,
  checkGiving,
  TENANT_MEMBERS,
  type TenantActor,
  type TenantRefusal,
} from '../tenant-rights.ts'
import { findById } from './account-rows.ts'
import { auditChange, auditRefusal } from './audit.ts'
import { columnsOf } from './columns.ts'
import { consume } from './consume.ts'
import type { Database, Row, Transaction } from './database.ts'
import { findInvitation, SELECT_INVITATION, toInvitation } from './invitation-rows.ts'
import { putMember, readDefinitions, readRights, rolesOfMember } from './membership-rows.ts'

const columns = columnsOf('invitations')

/** The kind of the ids that accepted invitations consume: see `Store.consume`. */
const CONSUMED = 'invitation'
const LISTED_FOR_MAX = 100

/** Invitations in SQL. It is not split, because it lists the methods of one interface. */
export function createInvitationStore(db: Database): InvitationStore {
  return {
    create: async (invitation, actor, context) =>
      db.write(async (tx) => {
        const refusal =
          (await checkTenant(tx, invitation.tenantId)) ?? (await checkActor(tx, invitation, actor))
        if (refusal !== undefined) return refusal
        await insert(tx, invitation)
        await auditChange(tx, undefined, 'invitation_created', context, invitation.tenantId)
        return 'created'
      }),

    resend: async (mailing, actor, context) =>
      db.write(async (tx) => {
        const open = await findOpen(tx, mailing)
        if (open === undefined) return 'unknown'
        const refusal =
          (await checkTenant(tx, open.tenantId)) ?? (await checkActor(tx, open, actor))
        if (refusal !== undefined) return refusal
        await tx.run(
          `UPDATE invitations SET link_hash = ?, code_hash = ?, expires_at = ?, inviter_id = ?,
             mailings = mailings + 1, attempts = 0 WHERE id = ?`,
          mailing.linkHash,
          mailing.codeHash,
          mailing.expiresAt,
          mailing.inviterId ?? null,
          mailing.id,
        )
        await auditChange(tx, undefined, 'invitation_resent', context, open.tenantId)
        return 'changed'
      }),

    withdraw: async (invitation, actor, context) =>
      db.write(async (tx) => {
        const { tenantId } = invitation
        // Whoever may invite may withdraw, also an invitation with roles that they cannot give.
        const refusal = await checkActor(tx, { tenantId, roles: [] }, actor)
        if (refusal !== undefined) return refusal
        const open = await findOpen(tx, invitation)
        if (open === undefined) return 'unknown'
        await close(tx, open, 'withdrawn')
        await auditChange(tx, undefined, 'invitation_withdrawn', context, tenantId)
        return 'changed'
      }),

    decline: async (id, accountId, context) =>
      db.write(async (tx) => {
        const invitation = await findInvitation(tx, id)
        const key = verifiedKey(await findById(tx, accountId))
        if (invitation?.state !== 'open' || invitation.email.key !== key) return 'unknown'
        await close(tx, invitation, 'withdrawn')
        await auditChange(tx, accountId, 'invitation_declined', context, invitation.tenantId)
        return 'changed'
      }),

    find: async (id, tenantId) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `${SELECT_INVITATION} WHERE i.id = ? AND i.tenant_id = ? AND i.state = 'open'`,
            id,
            tenantId,
          )
        )
          .map(toSummary)
          .at(0),
      ),

    list: async (tenantId, limit) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `${SELECT_INVITATION} WHERE i.tenant_id = ? AND i.state = 'open'
             ORDER BY i.created_at DESC, i.id LIMIT ?`,
            tenantId,
            limit,
          )
        ).map(toSummary),
      ),

    listFor: async (emailKey) =>
      db.step(async (tx) =>
        (
          await tx.all(
            `${SELECT_INVITATION}
             WHERE i.email_key = ? AND i.state = 'open' AND i.expires_at > ? AND t.disabled_at IS NULL
             ORDER BY i.created_at DESC, i.id LIMIT ?`,
            emailKey,
            tx.nowMs(),
            LISTED_FOR_MAX,
          )
        ).map(toSummary),
      ),

    accept: async (presented, accountId, context) =>
      db.write(async (tx) =>
        acceptFirst(tx, presented, await findById(tx, accountId), tx.nowMs(), context),
      ),

    purge: async (keptMs, limit) =>
      db.write(async (tx) =>
        tx.run(
          `DELETE FROM invitations WHERE id IN
             (SELECT id FROM invitations WHERE expires_at <= ? LIMIT ?)`,
          tx.nowMs() - keptMs,
          limit,
        ),
      ),
  }
}

async function checkTenant(tx: Transaction, tenantId: string): Promise<TenantRefusal | undefined> {
  const tenant = await tx.get('SELECT disabled_at FROM tenants WHERE id = ?', tenantId)
  if (tenant === undefined) return 'unknown'
  return tenant['disabled_at'] === null ? undefined : 'tenant_disabled'
}

/** Checks that a person may invite to the tenant, and may give the roles. */
async function checkActor(
  tx: Transaction,
  { tenantId, roles }: Pick<Invitation, 'tenantId' | 'roles'>,
  actor: TenantActor | undefined,
): Promise<TenantRefusal | undefined> {
  if (actor === undefined) return undefined
  const definitions = await readDefinitions(tx)
  const rights = await readRights(tx, actor, tenantId, definitions)
  if (!rights.permissions.includes(TENANT_MEMBERS)) return 'permission_missing'
  return checkGiving(roles, rights, definitions)
}

async function insert(tx: Transaction, invitation: NewInvitation): Promise<void> {
  await tx.run(
    `UPDATE invitations SET state = 'withdrawn'
     WHERE tenant_id = ? AND email_key = ? AND state = 'open'`,
    invitation.tenantId,
    invitation.email.key,
  )
  await tx.run(
    `INSERT INTO invitations (id, tenant_id, email, email_key, roles, inviter_id, link_hash, code_hash,
                              mailings, attempts, created_at, expires_at, state)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 0, ?, ?, 'open')`,
    invitation.id,
    invitation.tenantId,
    invitation.email.address,
    invitation.email.key,
    JSON.stringify(invitation.roles),
    invitation.inviterId ?? null,
    invitation.linkHash,
    invitation.codeHash,
    invitation.createdAt,
    invitation.expiresAt,
  )
}

async function findOpen(
  tx: Transaction,
  { id, tenantId }: Pick<Invitation, 'id' | 'tenantId'>,
): Promise<Invitation | undefined> {
  const found = await findInvitation(tx, id)
  return found?.state === 'open' && found.tenantId === tenantId ? found : undefined
}

async function close(
  tx: Transaction,
  { id }: Pick<Invitation, 'id'>,
  state: 'accepted' | 'withdrawn',
): Promise<void> {
  await tx.run('UPDATE invitations SET state = ? WHERE id = ?', state, id)
}

function verifiedKey(account: Account | undefined): string | undefined {
  return account?.email?.verifiedAt === undefined ? undefined : account.email.key
}

async function acceptFirst(
  tx: Transaction,
  presented: readonly PresentedInvitation[],
  account: Account | undefined,
  now: number,
  context: AuditContext,
): Promise<Accepted> {
  const key = verifiedKey(account)
  if (account === undefined || key === undefined) return { ok: false, code: 'email_unverified' }
  let refusal: AcceptRefusal = 'invitation_void'
  for (const one of presented) {
    const invitation = await findInvitation(tx, one.id)
    const refused = decideInvitation(invitation, one, key, now)
    if (invitation !== undefined && refused === undefined) {
      return accept(tx, invitation, account, now, context)
    }
    if (refused === 'code_wrong') await countWrong(tx, one.id, account.id, context)
    // A wrong code is the reason, also if other invitations of the person take no more codes.
    if (refused !== undefined && refusal !== 'code_wrong') refusal = refused
  }
  return { ok: false, code: refusal }
}

async function countWrong(
  tx: Transaction,
  id: string,
  accountId: string,
  context: AuditContext,
): Promise<void> {
  await tx.run('UPDATE invitations SET attempts = attempts + 1 WHERE id = ?', id)
  await auditRefusal(tx, accountId, 'invitation_accepted', context, 'code_wrong')
}

async function accept(
  tx: Transaction,
  invitation: Invitation,
  account: Account,
  now: number,
  context: AuditContext,
): Promise<Accepted> {
  const { id, tenantId, tenantName } = invitation
  const refusal = await checkTenant(tx, tenantId)
  if (refusal !== undefined) return { ok: false, code: 'tenant_disabled' }
  if (!(await hasInviter(tx, invitation))) return { ok: false, code: 'invitation_void' }
  const before = await rolesOfMember(tx, account.id, tenantId)
  const roles = [...new Set([...(before ?? []), ...invitation.roles])].toSorted()
  if (areTooManyRoles(account.roles, roles) !== undefined) {
    return { ok: false, code: 'roles_invalid' }
  }
  // Each mail has its own secrets and its own expiry, so it has its own id here.
  const used = {
    kind: CONSUMED,
    id: `${id}.${invitation.mailings}`,
    expiresAt: invitation.expiresAt,
  }
  if (!(await consume(tx, used, now))) return { ok: false, code: 'invitation_void' }
  await close(tx, invitation, 'accepted')
  await auditChange(tx, account.id, 'invitation_accepted', context, tenantId)
  // The mails of the context were written with the line before.
  const isChanged = await putMember(
    tx,
    { accountId: account.id, tenantId, roles },
    { ...context, mails: undefined },
  )
  return { ok: true, tenantId, tenantName, roles, hasRevoked: isChanged && before !== undefined }
}

/**
 * Whether the inviter may still give these roles in this tenant. A disabled account invites nobody: an operator
 * disables it when its owner has left or was attacked.
 */
async function hasInviter(tx: Transaction, invitation: Invitation): Promise<boolean> {
  const { inviterId } = invitation
  if (inviterId === undefined) return true
  const inviter = await findById(tx, inviterId)
  if (inviter === undefined || inviter.disabledAt !== undefined) return false
  const actor = { accountId: inviterId, isInTenant: true }
  return (await checkActor(tx, invitation, actor)) === undefined
}

function toSummary(row: Row): InvitationSummary {
  const { linkHash: _link, codeHash: _code, ...invitation } = toInvitation(row)
  return { ...invitation, inviter: columns.textOrUndefined(row, 'inviter') }
}
