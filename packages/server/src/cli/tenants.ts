import { unwrap } from './unwrap.ts'
import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { invitationCommands } from './invitations.ts'
import { LIMIT_FLAG, readLimit } from './options.ts'
import { print, printRows } from './print.ts'
import type { Managed } from '../accounts/managed.ts'
import type { Change } from '../store/change.ts'
import type { Workbench } from './workbench.ts'

const TENANT: Operand = { name: 'TENANT', text: 'The name of the tenant.' }

const create: Command = {
  words: ['tenants', 'create'],
  summary: 'create a tenant',
  operands: [TENANT],
  example: 'tenants create acme',
  run: ({ operands: [name = ''], withWorkbench }) =>
    withWorkbench(async ({ tenants, actor }) => {
      const tenant = unwrap(await tenants.create(name, actor))
      print(`Tenant ${tenant.name} created (${tenant.id}).`)
    }),
}

const list: Command = {
  words: ['tenants', 'list'],
  summary: 'list all tenants',
  operands: [],
  flags: JSON_FLAG,
  example: 'tenants list',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ tenants }) => {
      const rows = (await tenants.list()).map((tenant) => ({
        name: tenant.name,
        id: tenant.id,
        state: tenant.disabledAt === undefined ? 'active' : 'disabled',
        created: new Date(tenant.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'There are no tenants.' })
    }),
}

function changing(
  word: 'disable' | 'enable',
  summary: string,
  done: { readonly changed: string; readonly unchanged: string },
  details?: string,
): Command {
  return {
    words: ['tenants', word],
    summary,
    ...(details === undefined ? {} : { details }),
    operands: [TENANT],
    example: `tenants ${word} acme`,
    run: ({ operands: [name = ''], withWorkbench }) =>
      withWorkbench(async ({ tenants, actor }) => {
        const change = unwrap(await tenants[word](name, actor))
        print(`Tenant ${name}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

const ROLE_FLAG = {
  role: {
    type: 'string',
    multiple: true,
    value: 'ROLE',
    text: 'A role in this tenant. Repeat it for several roles. Without it the member has no roles in the tenant.',
  },
} as const

const listMembers: Command = {
  words: ['tenants', 'members', 'list'],
  summary: 'list the members of a tenant and their roles in it',
  details: 'Lists the members of a disabled tenant too.',
  operands: [TENANT],
  flags: { limit: LIMIT_FLAG, ...JSON_FLAG },
  example: 'tenants members list acme',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ tenants }) => {
      const members = unwrap(await tenants.members(name, readLimit(options['limit'])))
      const rows = members.map((member) => ({
        username: member.username,
        id: member.accountId,
        state: member.isDisabled ? 'disabled' : 'active',
        roles: member.roles,
        default: member.isDefault ? 'yes' : 'no',
        since: new Date(member.since),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'This tenant has no members.' })
    }),
}

function memberCommand(
  word: 'set' | 'remove' | 'default',
  summary: string,
  apply: (
    bench: Workbench,
    input: { username: string; tenant: string; roles: readonly string[] },
  ) => Promise<Managed<Change>>,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    words: ['tenants', 'members', word],
    summary,
    operands: [TENANT, { name: 'NAME', text: 'The username of the account.' }],
    ...(word === 'set' ? { flags: ROLE_FLAG } : {}),
    example: `tenants members ${word} acme alice${word === 'set' ? ' --role editor' : ''}`,
    run: ({ operands: [tenant = '', username = ''], options, withWorkbench }) =>
      withWorkbench(async (bench) => {
        // `parseArgs` returns an option with `multiple` as a list of strings.
        const roles = (options['role'] ?? []) as string[]
        const change = unwrap(await apply(bench, { username, tenant, roles }))
        print(
          `Account ${username} in ${tenant}: ${change === 'changed' ? done.changed : done.unchanged}.`,
        )
      }),
  }
}

/** The commands `countersign tenants ...`. */
export const tenantCommands: readonly Command[] = [
  create,
  list,
  changing(
    'disable',
    'end all sessions in a tenant and refuse new logins to it',
    {
      changed: 'disabled, and its sessions have ended',
      unchanged: 'was already disabled',
    },
    'If it is the default tenant of an account, a login that names no tenant is then in no tenant.',
  ),
  changing('enable', 'let the members of a disabled tenant log in again', {
    changed: 'enabled, its members can log in again',
    unchanged: 'was not disabled',
  }),
  ...invitationCommands,
  listMembers,
  memberCommand(
    'set',
    'make an account a member of a tenant, with exactly these roles, which count in this tenant only',
    ({ tenants, actor }, input) => tenants.setMember(input, actor),
    { changed: 'is a member with these roles', unchanged: 'was already a member with these roles' },
  ),
  memberCommand(
    'remove',
    'remove an account from a tenant',
    ({ tenants, actor }, { username, tenant }) => tenants.removeMember({ username, tenant }, actor),
    { changed: 'is no longer a member', unchanged: 'was not a member' },
  ),
  memberCommand(
    'default',
    'set the tenant for logins of an account that name no tenant',
    ({ tenants, actor }, { username, tenant }) => tenants.setDefault({ username, tenant }, actor),
    { changed: 'logins that name no tenant now use this tenant', unchanged: 'unchanged' },
  ),
]
