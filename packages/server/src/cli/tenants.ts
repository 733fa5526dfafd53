import { unwrap } from './accounts.ts'
import { JSON_FLAG, withWorkbench, type Command, type Operand, type Workbench } from './command.ts'
import { print, printRows } from './print.ts'
import type { Managed } from '../accounts/managed.ts'
import type { Change } from '../store/store.ts'

const TENANT: Operand = { name: 'TENANT', text: 'The name of the tenant.' }

const create: Command = {
  words: ['tenants', 'create'],
  summary: 'create a tenant',
  details: 'Creates the database if it does not exist.',
  operands: [TENANT],
  example: 'tenants create acme',
  run: ({ operands: [name = ''] }) =>
    withWorkbench({ createsData: true }, async ({ tenants, actor }) => {
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
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ tenants }) => {
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
    run: ({ operands: [name = ''] }) =>
      withWorkbench({ createsData: false }, async ({ tenants, actor }) => {
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
    run: ({ operands: [tenant = '', username = ''], options }) =>
      withWorkbench({ createsData: false }, async (bench) => {
        // `parseArgs` returns an option with `multiple` as a list of strings.
        const roles = (options['role'] ?? []) as string[]
        const change = unwrap(await apply(bench, { username, tenant, roles }))
        print(
          `Account ${username} in ${tenant}: ${change === 'changed' ? done.changed : done.unchanged}.`,
        )
      }),
  }
}

const define: Command = {
  words: ['roles', 'define'],
  summary: 'replace the permissions of a role',
  details:
    'Without a PERMISSION, the role has no permissions. Guards with the revocation feed apply the change within a second.',
  operands: [
    { name: 'ROLE', text: 'The name of the role.' },
    { name: 'PERMISSION', text: 'A permission such as `notes.write`.', optional: true, max: 200 },
  ],
  example: 'roles define editor notes.read notes.write',
  run: ({ operands: [name = '', ...permissions] }) =>
    withWorkbench({ createsData: true }, async ({ roles, actor }) => {
      const change = unwrap(await roles.define({ name, permissions }, actor))
      print(`Role ${name}: ${change === 'changed' ? 'defined' : 'already had these permissions'}.`)
    }),
}

const listRoles: Command = {
  words: ['roles', 'list'],
  summary: 'list the defined roles and their permissions',
  operands: [],
  flags: JSON_FLAG,
  example: 'roles list',
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ roles }) => {
      const rows = (await roles.list()).map((role) => ({
        name: role.name,
        permissions: role.permissions,
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No roles are defined.' })
    }),
}

/** The commands `countersign tenants ...` and `countersign roles ...`. */
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
  memberCommand(
    'set',
    'make an account a member of a tenant, with exactly these roles, which count in this tenant only',
    ({ tenants, actor }, input) => tenants.setMember(input, actor),
    { changed: 'is a member with these roles', unchanged: 'was already a member with these roles' },
  ),
  memberCommand(
    'remove',
    'remove an account from a tenant',
    ({ tenants, actor }, input) => tenants.removeMember(input, actor),
    { changed: 'is no longer a member', unchanged: 'was not a member' },
  ),
  memberCommand(
    'default',
    'set the tenant for logins of an account that name no tenant',
    ({ tenants, actor }, input) => tenants.setDefault(input, actor),
    { changed: 'logins that name no tenant now use this tenant', unchanged: 'unchanged' },
  ),
  define,
  listRoles,
]
