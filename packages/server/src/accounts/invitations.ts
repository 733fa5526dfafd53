import type { Clock, EpochMs } from '../base/clock.ts'
import { limits } from '../base/limits.ts'
import { assertOptions } from '../base/options.ts'
import type { InvitationSummary, NewInvitation } from '../store/invitations.ts'
import type { MailLocale, NewMail, Tenant } from '../store/rows.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Change } from '../store/change.ts'
import type { Store } from '../store/store.ts'
import type { TenantRefusal } from '../store/tenant-rights.ts'
import { readMailbox } from './email-address.ts'
import { no, yes, type Managed, type NotManaged } from './managed.ts'
import { checkRoles } from './role-names.ts'

/** An open invitation to a tenant. It may have expired; then it can only be sent again or withdrawn. */
export interface TenantInvitation {
  readonly id: string
  /** The invited address. Only an account that has verified it can accept. */
  readonly email: string
  /** The roles in the tenant that the invitation gives. */
  readonly roles: readonly string[]
  /** The username of the person who invited. Undefined for an operator or the application. */
  readonly invitedBy: string | undefined
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs
}

/** The content and the recipient of the mail of an invitation. */
export interface Letter {
  /** The id of an invitation that is sent again. */
  readonly id?: string
  readonly to: string
  readonly tenantName: string
  /** The username of the person who invites. */
  readonly inviter: string | undefined
  readonly locale?: MailLocale | undefined
  readonly now: EpochMs
}

/** Makes new secrets for an invitation, and the mail that carries them. */
export type WriteInvitation = (
  letter: Letter,
) => Pick<NewInvitation, 'id' | 'linkHash' | 'codeHash' | 'expiresAt'> & { readonly mail: NewMail }

/** The part of {@link TenantManager} that invites people. */
export interface InvitationMethods {
  /**
   * Invites an address to a tenant by mail, with these roles in it. The person accepts within 7 days, with an
   * account that has verified the address. Replaces an open invitation of that address to the tenant.
   */
  invite(
    input: {
      readonly tenant: string
      readonly email: string
      readonly roles?: readonly string[]
      /** The language of the mail. Default: `COUNTERSIGN_MAIL_LOCALE`. */
      readonly locale?: MailLocale
    },
    by: string,
  ): Promise<Managed<TenantInvitation>>
  /** Lists up to `limit` open invitations of a tenant, also expired ones, the newest first. */
  invitations(tenant: string, limit: number): Promise<Managed<readonly TenantInvitation[]>>
  /** Withdraws an open invitation. Its link and code are void. */
  withdrawInvitation(
    input: { readonly tenant: string; readonly id: string },
    by: string,
  ): Promise<Managed<Change>>
  /** Sends an open invitation again, with a new link, a new code and 7 more days. The older link is void. */
  resendInvitation(
    input: { readonly tenant: string; readonly id: string },
    by: string,
  ): Promise<Managed<TenantInvitation>>
}

/** Creates the methods. Without `write`, the server sends no mail, and inviting is refused. */
export function createInvitationMethods(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  write: WriteInvitation | undefined,
  withTenant: <Value>(
    name: string,
    act: (tenant: Tenant) => Promise<Managed<Value>>,
  ) => Promise<Managed<Value>>,
): InvitationMethods {
  const auditBy = (by: string): AuditContext => ({ at: clock.nowMs(), actor: by })
  const { invitations } = store
  return {
    async invite(input, by) {
      assertOptions('tenants.invite', input, ['tenant', 'email', 'roles', 'locale'])
      const { email, roles = [], locale } = input
      const mailbox = readMailbox(email)
      if (mailbox === undefined) return no('email_invalid', 'This is not an e-mail address.')
      const problem = checkRoles([], roles)
      if (problem !== undefined) return { ok: false, ...problem }
      if (write === undefined) return noMail()
      return withTenant(input.tenant, async ({ id: tenantId, name }) => {
        const context = auditBy(by)
        const now = context.at
        const letter = { to: mailbox.address, tenantName: name, inviter: undefined, locale, now }
        const { mail, ...secrets } = write(letter)
        const invitation: NewInvitation = {
          ...secrets,
          tenantId,
          email: mailbox,
          roles: [...new Set(roles)].toSorted(),
          inviterId: undefined,
          createdAt: now,
        }
        const created = await invitations.create(invitation, undefined, {
          ...context,
          mails: [mail],
        })
        return created === 'created' ? yes(shown(invitation)) : refusalOf(created, name)
      })
    },

    invitations: (tenant, limit) =>
      withTenant(tenant, async ({ id }) =>
        yes((await invitations.list(id, limit)).map((each) => shown(each, each.inviter))),
      ),

    async withdrawInvitation(input, by) {
      assertOptions('tenants.withdrawInvitation', input, ['tenant', 'id'])
      return withTenant(input.tenant, async ({ id: tenantId, name }) => {
        const change = await invitations.withdraw(
          { id: input.id, tenantId },
          undefined,
          auditBy(by),
        )
        return change === 'changed' ? yes(change) : refusalOf(change, name)
      })
    },

    async resendInvitation(input, by) {
      assertOptions('tenants.resendInvitation', input, ['tenant', 'id'])
      if (write === undefined) return noMail()
      return withTenant(input.tenant, async ({ id: tenantId, name }) => {
        const found = await invitations.find(input.id, tenantId)
        if (found === undefined) return refusalOf('unknown', name)
        const { mailing, context } = mailAgain(found, { write, inviter: undefined }, auditBy(by))
        const change = await invitations.resend(mailing, undefined, context)
        if (change !== 'changed') return refusalOf(change, name)
        return yes(shown({ ...found, expiresAt: mailing.expiresAt }))
      })
    },
  }
}

/** Makes the new secrets and the new mail of an invitation that is sent again. */
export function mailAgain(
  invitation: InvitationSummary,
  {
    write,
    inviter,
    locale,
  }: {
    readonly write: WriteInvitation
    readonly inviter: { readonly id: string; readonly username: string } | undefined
    readonly locale?: MailLocale | undefined
  },
  context: AuditContext,
): {
  readonly mailing: Parameters<Store['invitations']['resend']>[0]
  readonly context: AuditContext
} {
  const { id, tenantId, tenantName, email } = invitation
  const { mail, ...secrets } = write({
    id,
    to: email.address,
    tenantName,
    inviter: inviter?.username,
    locale,
    now: context.at,
  })
  return {
    mailing: { ...secrets, tenantId, inviterId: inviter?.id },
    context: { ...context, mails: [mail] },
  }
}

/** When an invitation expires whose mail is written now. */
export function invitationEnd(now: EpochMs): EpochMs {
  return now + limits.invitationLifeMs
}

function shown(
  { id, email, roles, createdAt, expiresAt }: Omit<NewInvitation, 'linkHash' | 'codeHash'>,
  invitedBy?: string,
): TenantInvitation {
  return { id, email: email.address, roles, invitedBy, createdAt, expiresAt }
}

function noMail(): NotManaged {
  return no(
    'mail_off',
    'This server sends no mail. Set COUNTERSIGN_SMTP_URL and COUNTERSIGN_MAIL_FROM.',
  )
}

function refusalOf(refusal: TenantRefusal, tenant: string): NotManaged {
  return refusal === 'tenant_disabled'
    ? no('tenant_disabled', `The tenant "${tenant}" is disabled. Enable it first.`)
    : no('invitation_unknown', `The tenant "${tenant}" has no such open invitation.`)
}
