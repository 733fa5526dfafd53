import { unwrap } from './unwrap.ts'
import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { LIMIT_FLAG, readLimit } from './options.ts'
import { print, printRows } from './print.ts'
import { assertServerSecret } from './ring-parts.ts'
import type { Workbench } from './workbench.ts'

const TENANT: Operand = { name: 'TENANT', text: 'The name of the tenant.' }
const ID: Operand = {
  name: 'ID',
  text: 'The id of the invitation, as `tenants invitations list` shows it.',
}

const SENDS =
  'The server sends the mail. Run the command with the settings of the server: the link in the mail begins with `COUNTERSIGN_PUBLIC_URL`, or with the page `invite` of `COUNTERSIGN_LINKS`.'

const invite: Command = {
  words: ['tenants', 'invite'],
  summary: 'invite an address to a tenant by mail',
  details: `Only an account that has verified the address can accept, within 7 days. Replaces an open invitation of the address to the tenant. ${SENDS}`,
  operands: [TENANT, { name: 'EMAIL', text: 'The address to invite.' }],
  flags: {
    role: {
      type: 'string',
      multiple: true,
      value: 'ROLE',
      text: 'A role in this tenant. Repeat it for several roles. Without it the member will have no roles in the tenant.',
    },
  },
  example: 'tenants invite acme bob@example.com --role editor',
  run: ({ operands: [tenant = '', email = ''], options, withWorkbench }) =>
    withWorkbench(async (bench) => {
      await assertServerSecret(bench)
      // `parseArgs` returns an option with `multiple` as a list of strings.
      const roles = (options['role'] ?? []) as string[]
      const { id } = unwrap(await bench.tenants.invite({ tenant, email, roles }, bench.actor))
      print(`${email} is invited to ${tenant} (${id}).`)
      printOutbox(bench)
    }),
}

const list: Command = {
  words: ['tenants', 'invitations', 'list'],
  summary: 'list the open invitations of a tenant',
  details: 'Expired invitations stay in the list for a month, so that you can send them again.',
  operands: [TENANT],
  flags: { limit: LIMIT_FLAG, ...JSON_FLAG },
  example: 'tenants invitations list acme',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ tenants }) => {
      const found = unwrap(await tenants.invitations(name, readLimit(options['limit'])))
      const rows = found.map((invitation) => ({
        email: invitation.email,
        id: invitation.id,
        roles: invitation.roles,
        by: invitation.invitedBy,
        created: new Date(invitation.createdAt),
        expires: new Date(invitation.expiresAt),
      }))
      const empty = 'This tenant has no open invitations.'
      printRows(rows, { json: options['json'] === true, empty })
    }),
}

const withdraw: Command = {
  words: ['tenants', 'invitations', 'withdraw'],
  summary: 'withdraw an open invitation, so that its link and code no longer work',
  operands: [TENANT, ID],
  example: 'tenants invitations withdraw acme 8Lr0jlbXlTn3vN0xkKqYIw',
  run: ({ operands: [tenant = '', id = ''], withWorkbench }) =>
    withWorkbench(async ({ tenants, actor }) => {
      unwrap(await tenants.withdrawInvitation({ tenant, id }, actor))
      print(`Invitation ${id} to ${tenant}: withdrawn.`)
    }),
}

const resend: Command = {
  words: ['tenants', 'invitations', 'resend'],
  summary: 'send an open invitation again, with a new link, a new code and 7 more days',
  details: `The older link and code no longer work. ${SENDS}`,
  operands: [TENANT, ID],
  example: 'tenants invitations resend acme 8Lr0jlbXlTn3vN0xkKqYIw',
  run: ({ operands: [tenant = '', id = ''], withWorkbench }) =>
    withWorkbench(async (bench) => {
      await assertServerSecret(bench)
      const { email } = unwrap(await bench.tenants.resendInvitation({ tenant, id }, bench.actor))
      print(`${email} is invited to ${tenant} again (${id}).`)
      printOutbox(bench)
    }),
}

function printOutbox({ settings }: Workbench): void {
  const page = settings.links.invite ?? settings.publicUrl
  print(`The server sends the mail. Its link begins with ${page}.`)
}

/** The commands `countersign tenants invite` and `countersign tenants invitations ...`. */
export const invitationCommands: readonly Command[] = [invite, list, withdraw, resend]
