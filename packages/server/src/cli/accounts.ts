import type { Managed } from '../accounts/managed.ts'
import { SetupError } from '../base/faults.ts'
import type { Change } from '../store/store.ts'
import { withWorkbench, type Command, type Workbench } from './command.ts'
import { print, printRows } from './print.ts'
import { confirm, readNewPassword } from './prompt.ts'

const create: Command = {
  words: ['accounts', 'create'],
  usage: 'accounts create NAME [--role ROLE]...',
  summary: 'add an account; asks for its password, or reads it from standard input',
  operands: { min: 1, max: 1 },
  options: { role: { type: 'string', multiple: true } },
  run: ({ operands: [username = ''], options }) =>
    withWorkbench({ createsData: true }, async ({ accounts, actor }) => {
      const roles = (options['role'] ?? []) as string[]
      const password = await readNewPassword()
      const account = unwrap(await accounts.create({ username, password, roles }, actor))
      print(`Account ${account.username} created (${account.id}).`)
    }),
}

const list: Command = {
  words: ['accounts', 'list'],
  usage: 'accounts list [--json]',
  summary: 'all accounts with their roles',
  operands: { min: 0, max: 0 },
  options: { json: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ accounts }) => {
      const rows = (await accounts.list()).map((account) => ({
        username: account.username,
        id: account.id,
        state: account.disabledAt === undefined ? 'active' : 'disabled',
        roles: account.roles,
        created: new Date(account.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No accounts yet.' })
    }),
}

const remove: Command = {
  words: ['accounts', 'delete'],
  usage: 'accounts delete NAME [--yes]',
  summary: 'end all its sessions and forget it for good; --yes does not ask',
  operands: { min: 1, max: 1 },
  options: { yes: { type: 'boolean' } },
  run: ({ operands: [username = ''], options }) =>
    withWorkbench({ createsData: false }, async ({ accounts, actor }) => {
      const account = await accounts.find(username)
      if (account === undefined) throw new SetupError(`There is no account "${username}".`)
      if (options['yes'] !== true) {
        await confirm(`Delete ${account.username} (${account.id}) for good?`, account.username)
      }
      unwrap(await accounts.delete(username, actor))
      print(
        `Account ${account.username}: deleted, its sessions are ended. The audit has it as ${account.id}.`,
      )
    }),
}

function changing(
  word: string,
  summary: string,
  apply: (bench: Workbench, username: string) => Promise<Managed<Change>>,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    words: ['accounts', word],
    usage: `accounts ${word} NAME`,
    summary,
    operands: { min: 1, max: 1 },
    run: ({ operands: [username = ''] }) =>
      withWorkbench({ createsData: false }, async (bench) => {
        const change = unwrap(await apply(bench, username))
        print(`Account ${username}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

function roleCommand(
  word: 'add' | 'remove',
  summary: string,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    words: ['accounts', 'roles', word],
    usage: `accounts roles ${word} NAME ROLE`,
    summary,
    operands: { min: 2, max: 2 },
    run: ({ operands: [username = '', role = ''] }) =>
      withWorkbench({ createsData: false }, async ({ accounts, actor }) => {
        const change = unwrap(
          word === 'add'
            ? await accounts.addRole(username, role, actor)
            : await accounts.removeRole(username, role, actor),
        )
        print(`Account ${username}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

export const accountCommands: readonly Command[] = [
  create,
  list,
  changing(
    'disable',
    'end all its sessions and let nobody in',
    ({ accounts, actor }, username) => accounts.disable(username, actor),
    { changed: 'disabled, its sessions are ended', unchanged: 'was disabled already' },
  ),
  changing(
    'enable',
    'let it log in again',
    ({ accounts, actor }, username) => accounts.enable(username, actor),
    { changed: 'enabled, it may log in again', unchanged: 'was not disabled' },
  ),
  changing(
    'set-password',
    'set a password and end all its sessions',
    async ({ accounts, actor }, username) => {
      if ((await accounts.find(username)) === undefined) {
        throw new SetupError(`There is no account "${username}".`)
      }
      return accounts.setPassword(username, await readNewPassword(), actor)
    },
    { changed: 'password set, its sessions are ended', unchanged: 'unchanged' },
  ),
  remove,
  roleCommand('add', 'give it a role', {
    changed: 'role added',
    unchanged: 'has that role already',
  }),
  roleCommand('remove', 'take a role away', {
    changed: 'role removed',
    unchanged: 'does not have that role',
  }),
]

export function unwrap<T>(managed: Managed<T>): T {
  if (!managed.ok) throw new SetupError(managed.text)
  return managed.value
}
