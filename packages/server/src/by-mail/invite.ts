import { mailAgain } from '../accounts/invitations.ts'
import { readMailbox } from '../accounts/email-address.ts'
import { checkRoles } from '../accounts/role-names.ts'
import { countTry } from '../sessions/count-try.ts'
import type { ManagedTenant, TenantRefused } from '../sessions/manage-tenant.ts'
import { tenantRefusal } from '../sessions/manage-tenant.ts'
import { auditContextOf } from '../sessions/own-sessions.ts'
import { refuse, type Caller, type Refusal } from '../sessions/services.ts'
import type { NewInvitation } from '../store/invitations.ts'
import type { MailLocale } from '../store/rows.ts'
import type { MailServices } from './services.ts'

/** Whom a person invites. */
export interface Inviting {
  readonly email: string
  readonly roles: readonly string[]
  /** The language of the inviter's browser. */
  readonly locale: MailLocale | undefined
}

/** An invitation as the answer of a request shows it. */
export type Invited = Omit<NewInvitation, 'linkHash' | 'codeHash'> & { readonly inviter: string }

/**
 * Invites an address to a tenant. The answer, its time and the mail are the same whether or not an account has
 * the address: no account is looked up. Nobody gives roles with more permissions than they have.
 */
export async function invite(
  services: MailServices,
  managed: ManagedTenant,
  { email, roles, locale }: Inviting,
  caller: Caller,
): Promise<{ readonly ok: true; readonly invitation: Invited } | TenantRefused> {
  const { sessions, writeInvitation } = services
  const { tenant, actor, username } = managed
  const mailbox = readMailbox(email)
  if (mailbox === undefined) return refuse('email_invalid')
  const problem = checkRoles([], roles)
  if (problem !== undefined) return { ok: false, code: problem.code, text: problem.text }
  const throttled = await countInvitation(services, managed, mailbox.key)
  if (throttled !== undefined) return throttled
  const context = auditContextOf(sessions, actor.accountId, caller)
  const letter = {
    to: mailbox.address,
    tenantName: tenant.name,
    inviter: username,
    locale,
    now: context.at,
  }
  const { mail, ...secrets } = writeInvitation(letter)
  const invitation: NewInvitation = {
    ...secrets,
    tenantId: tenant.id,
    email: mailbox,
    roles: [...new Set(roles)].toSorted(),
    inviterId: actor.accountId,
    createdAt: context.at,
  }
  const created = await sessions.store.invitations.create(invitation, actor, {
    ...context,
    mails: [mail],
  })
  return created === 'created'
    ? { ok: true, invitation: { ...invitation, inviter: username } }
    : tenantRefusal(created)
}

/** Sends an open invitation again. Its older link and code are void. */
export async function resend(
  services: MailServices,
  managed: ManagedTenant,
  { id, locale }: { readonly id: string; readonly locale: MailLocale | undefined },
  caller: Caller,
): Promise<{ readonly ok: true; readonly invitation: Invited } | TenantRefused> {
  const { sessions, writeInvitation: write } = services
  const { tenant, actor, username } = managed
  const found = await sessions.store.invitations.find(id, tenant.id)
  if (found === undefined) return refuse('not_found')
  const throttled = await countInvitation(services, managed, found.email.key)
  if (throttled !== undefined) return throttled
  const inviter = { id: actor.accountId, username }
  const { mailing, context } = mailAgain(
    found,
    { write, inviter, locale },
    auditContextOf(sessions, actor.accountId, caller),
  )
  const change = await sessions.store.invitations.resend(mailing, actor, context)
  if (change !== 'changed') return tenantRefusal(change)
  return { ok: true, invitation: { ...found, expiresAt: mailing.expiresAt, inviter: username } }
}

function countInvitation(
  { sessions }: MailServices,
  { tenant, actor }: ManagedTenant,
  emailKey: string,
): Promise<Refusal | undefined> {
  const { accountId } = actor
  return countTry(sessions, sessions.throttle.invitationsOf(emailKey, accountId, tenant.id))
}
