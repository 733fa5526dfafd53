import { unwrap } from './accounts.ts'
import { withWorkbench, type Command, type Workbench } from './command.ts'
import { print, printRows } from './print.ts'
import type { Managed } from '../accounts/managed.ts'
import type { Change } from '../store/store.ts'

const create: Command = {
  words: ['tenants', 'create'],
  usage: 'tenants create TENANT',
  summary: 'add a tenant',
  operands: { min: 1, max: 1 },
  run: ({ operands: [name = ''] }) =>
    withWorkbench({ createsData: true }, async ({ tenants, actor }) => {
      const tenant = unwrap(await tenants.create(name, actor))
      print(`Tenant ${tenant.name} created (${tenant.id}).`)
    }),
}

const list: Command = {
  words: ['tenants', 'list'],
  usage: 'tenants list [--json]',
  summary: 'all tenants',
  operands: { min: 0, max: 0 },
  options: { json: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ tenants }) => {
      const rows = (await tenants.list()).map((tenant) => ({
        name: tenant.name,
        id: tenant.id,
        state: tenant.disabledAt === undefined ? 'active' : 'disabled',
        created: new Date(tenant.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No tenants.' })
    }),
}

function changing(
  word: 'disable' | 'enable',
  summary: string,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    words: ['tenants', word],
    usage: `tenants ${word} TENANT`,
    summary,
    operands: { min: 1, max: 1 },
    run: ({ operands: [name = ''] }) =>
      withWorkbench({ createsData: false }, async ({ tenants, actor }) => {
        const change = unwrap(await tenants[word](name, actor))
        print(`Tenant ${name}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

function memberCommand(
  word: 'set' | 'remove' | 'default',
  usage: string,
  summary: string,
  apply: (
    bench: Workbench,
    input: { username: string; tenant: string; roles: readonly string[] },
  ) => Promise<Managed<Change>>,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    words: ['tenants', 'members', word],
    usage: `tenants members ${word} TENANT NAME${usage}`,
    summary,
    operands: { min: 2, max: 2 },
    ...(word === 'set' ? { options: { role: { type: 'string', multiple: true } } } : {}),
    run: ({ operands: [tenant = '', username = ''], options }) =>
      withWorkbench({ createsData: false }, async (bench) => {
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
  usage: 'roles define ROLE [PERMISSION]...',
  summary: 'say what a role may do: exactly these permissions',
  operands: { min: 1, max: 201 },
  run: ({ operands: [name = '', ...permissions] }) =>
    withWorkbench({ createsData: true }, async ({ roles, actor }) => {
      const change = unwrap(await roles.define({ name, permissions }, actor))
      print(`Role ${name}: ${change === 'changed' ? 'defined' : 'was defined so already'}.`)
    }),
}

const listRoles: Command = {
  words: ['roles', 'list'],
  usage: 'roles list [--json]',
  summary: 'roles and what they may do',
  operands: { min: 0, max: 0 },
  options: { json: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ roles }) => {
      const rows = (await roles.list()).map((role) => ({
        name: role.name,
        permissions: role.permissions,
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No roles are defined.' })
    }),
}

export const tenantCommands: readonly Command[] = [
  create,
  list,
  changing('disable', 'end the sessions in it and let nobody in', {
    changed: 'disabled, its sessions are ended',
    unchanged: 'was disabled already',
  }),
  changing('enable', 'let its members in again', {
    changed: 'enabled, its members may log in again',
    unchanged: 'was not disabled',
  }),
  memberCommand(
    'set',
    ' [--role ROLE]...',
    'make an account a member, with exactly these roles',
    ({ tenants, actor }, input) => tenants.setMember(input, actor),
    { changed: 'is a member with these roles', unchanged: 'was so already' },
  ),
  memberCommand(
    'remove',
    '',
    'take an account out of a tenant',
    ({ tenants, actor }, input) => tenants.removeMember(input, actor),
    { changed: 'is no member any more', unchanged: 'was no member' },
  ),
  memberCommand(
    'default',
    '',
    'the tenant of log-ins that name none',
    ({ tenants, actor }, input) => tenants.setDefault(input, actor),
    { changed: 'is where log-ins go that name no tenant', unchanged: 'unchanged' },
  ),
  define,
  listRoles,
]
