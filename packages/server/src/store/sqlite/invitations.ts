import type { Clock } from '../../base/clock.ts'
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
import { step, type Row, type SqliteDatabase } from './database.ts'
import { findInvitation, SELECT_INVITATION, toInvitation } from './invitation-rows.ts'
import { putMember, readDefinitions, readRights, rolesOfMember } from './membership-rows.ts'

const columns = columnsOf('invitations')

/** The kind of the ids that accepted invitations consume: see `Store.consume`. */
const CONSUMED = 'invitation'
const LISTED_FOR_MAX = 100

/** Invitations on SQLite. It is not split, because it lists the methods of one interface. */
export function createInvitationStore(db: SqliteDatabase, clock: Clock): InvitationStore {
  return {
    create: async (invitation, actor, context) =>
      db.write(() => {
        const refusal = checkTenant(db, invitation.tenantId) ?? checkActor(db, invitation, actor)
        if (refusal !== undefined) return refusal
        insert(db, invitation)
        auditChange(db, undefined, 'invitation_created', context, invitation.tenantId)
        return 'created'
      }),

    resend: async (mailing, actor, context) =>
      db.write(() => {
        const open = findOpen(db, mailing)
        if (open === undefined) return 'unknown'
        const refusal = checkTenant(db, open.tenantId) ?? checkActor(db, open, actor)
        if (refusal !== undefined) return refusal
        db.run(
          `UPDATE invitations SET link_hash = ?, code_hash = ?, expires_at = ?, inviter_id = ?,
             mailings = mailings + 1, attempts = 0 WHERE id = ?`,
          mailing.linkHash,
          mailing.codeHash,
          mailing.expiresAt,
          mailing.inviterId ?? null,
          mailing.id,
        )
        auditChange(db, undefined, 'invitation_resent', context, open.tenantId)
        return 'changed'
      }),

    withdraw: async (invitation, actor, context) =>
      db.write(() => {
        const { tenantId } = invitation
        // Whoever may invite may withdraw, also an invitation with roles that they cannot give.
        const refusal = checkActor(db, { tenantId, roles: [] }, actor)
        if (refusal !== undefined) return refusal
        const open = findOpen(db, invitation)
        if (open === undefined) return 'unknown'
        close(db, open, 'withdrawn')
        auditChange(db, undefined, 'invitation_withdrawn', context, tenantId)
        return 'changed'
      }),

    decline: async (id, accountId, context) =>
      db.write(() => {
        const invitation = findInvitation(db, id)
        const key = verifiedKey(findById(db, accountId))
        if (invitation?.state !== 'open' || invitation.email.key !== key) return 'unknown'
        close(db, invitation, 'withdrawn')
        auditChange(db, accountId, 'invitation_declined', context, invitation.tenantId)
        return 'changed'
      }),

    find: async (id, tenantId) =>
      step(() =>
        db
          .all(
            `${SELECT_INVITATION} WHERE i.id = ? AND i.tenant_id = ? AND i.state = 'open'`,
            id,
            tenantId,
          )
          .map(toSummary)
          .at(0),
      ),

    list: async (tenantId, limit) =>
      step(() =>
        db
          .all(
            `${SELECT_INVITATION} WHERE i.tenant_id = ? AND i.state = 'open'
             ORDER BY i.created_at DESC, i.id LIMIT ?`,
            tenantId,
            limit,
          )
          .map(toSummary),
      ),

    listFor: async (emailKey) =>
      step(() =>
        db
          .all(
            `${SELECT_INVITATION}
             WHERE i.email_key = ? AND i.state = 'open' AND i.expires_at > ? AND t.disabled_at IS NULL
             ORDER BY i.created_at DESC, i.id LIMIT ?`,
            emailKey,
            clock.nowMs(),
            LISTED_FOR_MAX,
          )
          .map(toSummary),
      ),

    accept: async (presented, accountId, context) =>
      db.write(() => acceptFirst(db, presented, findById(db, accountId), clock.nowMs(), context)),

    purge: async (keptMs, limit) =>
      db.write(() =>
        db.run(
          `DELETE FROM invitations WHERE id IN
             (SELECT id FROM invitations WHERE expires_at <= ? LIMIT ?)`,
          clock.nowMs() - keptMs,
          limit,
        ),
      ),
  }
}

function checkTenant(db: SqliteDatabase, tenantId: string): TenantRefusal | undefined {
  const tenant = db.get('SELECT disabled_at FROM tenants WHERE id = ?', tenantId)
  if (tenant === undefined) return 'unknown'
  return tenant['disabled_at'] === null ? undefined : 'tenant_disabled'
}

/** Checks that a person may invite to the tenant, and may give the roles. */
function checkActor(
  db: SqliteDatabase,
  { tenantId, roles }: Pick<Invitation, 'tenantId' | 'roles'>,
  actor: TenantActor | undefined,
): TenantRefusal | undefined {
  if (actor === undefined) return undefined
  const definitions = readDefinitions(db)
  const rights = readRights(db, actor, tenantId, definitions)
  if (!rights.permissions.includes(TENANT_MEMBERS)) return 'permission_missing'
  return checkGiving(roles, rights, definitions)
}

function insert(db: SqliteDatabase, invitation: NewInvitation): void {
  db.run(
    `UPDATE invitations SET state = 'withdrawn'
     WHERE tenant_id = ? AND email_key = ? AND state = 'open'`,
    invitation.tenantId,
    invitation.email.key,
  )
  db.run(
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

function findOpen(
  db: SqliteDatabase,
  { id, tenantId }: Pick<Invitation, 'id' | 'tenantId'>,
): Invitation | undefined {
  const found = findInvitation(db, id)
  return found?.state === 'open' && found.tenantId === tenantId ? found : undefined
}

function close(
  db: SqliteDatabase,
  { id }: Pick<Invitation, 'id'>,
  state: 'accepted' | 'withdrawn',
): void {
  db.run('UPDATE invitations SET state = ? WHERE id = ?', state, id)
}

function verifiedKey(account: Account | undefined): string | undefined {
  return account?.email?.verifiedAt === undefined ? undefined : account.email.key
}

function acceptFirst(
  db: SqliteDatabase,
  presented: readonly PresentedInvitation[],
  account: Account | undefined,
  now: number,
  context: AuditContext,
): Accepted {
  const key = verifiedKey(account)
  if (account === undefined || key === undefined) return { ok: false, code: 'email_unverified' }
  let refusal: AcceptRefusal = 'invitation_void'
  for (const one of presented) {
    const invitation = findInvitation(db, one.id)
    const refused = decideInvitation(invitation, one, key, now)
    if (invitation !== undefined && refused === undefined) {
      return accept(db, invitation, account, now, context)
    }
    if (refused === 'code_wrong') countWrong(db, one.id, account.id, context)
    // A wrong code is the reason, also if other invitations of the person take no more codes.
    if (refused !== undefined && refusal !== 'code_wrong') refusal = refused
  }
  return { ok: false, code: refusal }
}

function countWrong(
  db: SqliteDatabase,
  id: string,
  accountId: string,
  context: AuditContext,
): void {
  db.run('UPDATE invitations SET attempts = attempts + 1 WHERE id = ?', id)
  auditRefusal(db, accountId, 'invitation_accepted', context, 'code_wrong')
}

function accept(
  db: SqliteDatabase,
  invitation: Invitation,
  account: Account,
  now: number,
  context: AuditContext,
): Accepted {
  const { id, tenantId, tenantName } = invitation
  const refusal = checkTenant(db, tenantId)
  if (refusal !== undefined) return { ok: false, code: 'tenant_disabled' }
  if (!hasInviter(db, invitation)) return { ok: false, code: 'invitation_void' }
  const before = rolesOfMember(db, account.id, tenantId)
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
  if (!consume(db, used, now)) return { ok: false, code: 'invitation_void' }
  close(db, invitation, 'accepted')
  auditChange(db, account.id, 'invitation_accepted', context, tenantId)
  // The mails of the context were written with the line before.
  const isChanged = putMember(
    db,
    { accountId: account.id, tenantId, roles },
    { ...context, mails: undefined },
  )
  return { ok: true, tenantId, tenantName, roles, hasRevoked: isChanged && before !== undefined }
}

/**
 * Whether the inviter may still give these roles in this tenant. A disabled account invites nobody: an operator
 * disables it when its owner has left or was attacked.
 */
function hasInviter(db: SqliteDatabase, invitation: Invitation): boolean {
  const { inviterId } = invitation
  if (inviterId === undefined) return true
  const inviter = findById(db, inviterId)
  if (inviter === undefined || inviter.disabledAt !== undefined) return false
  const actor = { accountId: inviterId, isInTenant: true }
  return checkActor(db, invitation, actor) === undefined
}

function toSummary(row: Row): InvitationSummary {
  const { linkHash: _link, codeHash: _code, ...invitation } = toInvitation(row)
  return { ...invitation, inviter: columns.textOrUndefined(row, 'inviter') }
}
