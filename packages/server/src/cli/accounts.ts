import type { Managed } from '../accounts/managed.ts'
import { SetupError } from '../base/faults.ts'
import type { Change } from '../store/change.ts'
import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { factorCommands } from './factors.ts'
import { identityCommands } from './identities.ts'
import { print, printRows } from './print.ts'
import { unwrap } from './unwrap.ts'
import { confirm, readNewPassword } from './prompt.ts'
import { UsageError } from './usage-error.ts'
import type { Workbench } from './workbench.ts'

const NAME: Operand = { name: 'NAME', text: 'The username of the account.' }

const create: Command = {
  words: ['accounts', 'create'],
  summary: 'create an account',
  details:
    'Asks for the password twice at a terminal. Otherwise it reads the first line of standard input. A password is never an argument: other users and the shell history would see it.',
  operands: [NAME],
  flags: {
    role: {
      type: 'string',
      multiple: true,
      value: 'ROLE',
      text: 'Give the account this global role. Repeat it for several roles.',
    },
    email: { type: 'string', value: 'ADDRESS', text: 'Its e-mail address.' },
    verified: { type: 'boolean', text: 'The person is known to receive mail at this address.' },
  },
  example: 'accounts create alice --role admin',
  run: ({ operands: [username = ''], options, withWorkbench }) =>
    withWorkbench(async ({ accounts, actor }) => {
      // `parseArgs` returns an option with `multiple` as a list of strings.
      const roles = (options['role'] ?? []) as string[]
      const password = await readNewPassword()
      const { email, emailVerified } = readEmailFlags(options)
      const account = unwrap(
        await accounts.create({ username, password, roles, email, emailVerified }, actor),
      )
      print(`Account ${account.username} created (${account.id}).`)
    }),
}

const list: Command = {
  words: ['accounts', 'list'],
  summary: 'list all accounts and their roles',
  operands: [],
  flags: JSON_FLAG,
  example: 'accounts list --json',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ accounts }) => {
      const rows = (await accounts.list()).map((account) => ({
        username: account.username,
        id: account.id,
        state: account.disabledAt === undefined ? 'active' : 'disabled',
        roles: account.roles,
        email: account.email?.address,
        verified: account.email === undefined ? undefined : account.email.verifiedAt !== undefined,
        created: new Date(account.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'There are no accounts.' })
    }),
}

const remove: Command = {
  words: ['accounts', 'delete'],
  summary: 'delete an account and end all its sessions',
  details:
    'This cannot be undone. The audit keeps the id of the account. The command first asks you to type the username.',
  operands: [NAME],
  flags: { yes: { type: 'boolean', text: 'Delete without asking. Needed outside a terminal.' } },
  example: 'accounts delete alice --yes',
  run: ({ operands: [username = ''], options, withWorkbench }) =>
    withWorkbench(async ({ accounts, actor }) => {
      const account = await accounts.find(username)
      if (account === undefined) throw new SetupError(`There is no account "${username}".`)
      if (options['yes'] !== true) {
        await confirm(`Delete ${account.username} (${account.id}) for good?`, account.username)
      }
      unwrap(await accounts.delete(username, actor))
      print(
        `Account ${account.username}: deleted, and its sessions have ended. The audit lists it as ${account.id}.`,
      )
    }),
}

/** A command that changes one account and prints whether anything changed. */
function changing(
  own: Pick<Command, 'words' | 'summary' | 'example'> & { readonly details?: string },
  apply: (bench: Workbench, username: string) => Promise<Managed<Change>>,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    ...own,
    operands: [NAME],
    run: ({ operands: [username = ''], withWorkbench }) =>
      withWorkbench(async (bench) => {
        const change = unwrap(await apply(bench, username))
        print(`Account ${username}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

function readEmailFlags(options: Readonly<Record<string, unknown>>): {
  readonly email: string | undefined
  readonly emailVerified: boolean
} {
  const { email, verified } = options
  if (verified === true && typeof email !== 'string') {
    throw new UsageError('--verified needs --email.')
  }
  return {
    email: typeof email === 'string' ? email : undefined,
    emailVerified: verified === true,
  }
}

const setEmail: Command = {
  words: ['accounts', 'set-email'],
  summary: 'set or remove the e-mail address of an account',
  details:
    'Without ADDRESS, it removes the address. Mailed codes of the account become void. A person can log in with a verified address, and reset the password.',
  operands: [NAME, { name: 'ADDRESS', text: 'The e-mail address.', optional: true }],
  flags: {
    verified: { type: 'boolean', text: 'The person is known to receive mail at this address.' },
  },
  example: 'accounts set-email alice alice@example.com --verified',
  run: ({ operands: [username = '', address], options, withWorkbench }) =>
    withWorkbench(async ({ accounts, actor }) => {
      const verified = options['verified'] === true
      if (verified && address === undefined) throw new UsageError('--verified needs ADDRESS.')
      const email = address === undefined ? undefined : { address, verified }
      const change = unwrap(await accounts.setEmail(username, email, actor))
      const done = address === undefined ? 'address removed' : `address set to ${address}`
      print(`Account ${username}: ${change === 'changed' ? done : 'unchanged'}.`)
    }),
}

const rename: Command = {
  words: ['accounts', 'rename'],
  summary: 'change the username of an account',
  details: 'Sessions continue. The person logs in with the new name.',
  operands: [NAME, { name: 'NEW', text: 'The new username.' }],
  example: 'accounts rename alice alicia',
  run: ({ operands: [username = '', newName = ''], withWorkbench }) =>
    withWorkbench(async ({ accounts, actor }) => {
      unwrap(await accounts.rename(username, newName, actor))
      print(`Account ${username}: renamed to ${newName}.`)
    }),
}

function mailing(
  word: 'send-reset' | 'send-verification',
  summary: string,
  send: (bench: Workbench, username: string) => Promise<Managed<'sent'>>,
): Command {
  return {
    words: ['accounts', word],
    summary,
    details: 'The mail goes into the outbox, and the running server sends it.',
    operands: [NAME],
    example: `accounts ${word} alice`,
    run: ({ operands: [username = ''], withWorkbench }) =>
      withWorkbench(async (bench) => {
        unwrap(await send(bench, username))
        print(`Account ${username}: a mail is in the outbox.`)
      }),
  }
}

const exportData: Command = {
  words: ['accounts', 'export'],
  summary: 'print everything that is stored about an account, as JSON',
  details: 'Without password hashes and other secrets.',
  operands: [NAME],
  example: 'accounts export alice',
  run: ({ operands: [username = ''], withWorkbench }) =>
    withWorkbench(async ({ accounts }) => {
      print(JSON.stringify(unwrap(await accounts.export(username)), undefined, 2))
    }),
}

function roleCommand(
  word: 'add' | 'remove',
  summary: string,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  return {
    words: ['accounts', 'roles', word],
    summary,
    details: 'Existing access tokens become stale at once. Clients refresh them silently.',
    operands: [NAME, { name: 'ROLE', text: 'The name of a global role.' }],
    example: `accounts roles ${word} alice editor`,
    run: ({ operands: [username = '', role = ''], withWorkbench }) =>
      withWorkbench(async ({ accounts, actor }) => {
        const change = unwrap(
          word === 'add'
            ? await accounts.addRole(username, role, actor)
            : await accounts.removeRole(username, role, actor),
        )
        print(`Account ${username}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

/** The commands `countersign accounts ...`. */
export const accountCommands: readonly Command[] = [
  create,
  list,
  changing(
    {
      words: ['accounts', 'disable'],
      summary: 'end all sessions of an account and refuse new logins',
      example: 'accounts disable alice',
    },
    ({ accounts, actor }, username) => accounts.disable(username, actor),
    { changed: 'disabled, and its sessions have ended', unchanged: 'was already disabled' },
  ),
  changing(
    {
      words: ['accounts', 'enable'],
      summary: 'let a disabled account log in again',
      details: 'Ended sessions stay ended.',
      example: 'accounts enable alice',
    },
    ({ accounts, actor }, username) => accounts.enable(username, actor),
    { changed: 'enabled, it can log in again', unchanged: 'was not disabled' },
  ),
  changing(
    {
      words: ['accounts', 'set-password'],
      summary: 'set the password of an account and end all its sessions',
      details: 'Reads the password in the same way as `accounts create`.',
      example: 'accounts set-password alice',
    },
    async ({ accounts, actor }, username) => {
      if ((await accounts.find(username)) === undefined) {
        throw new SetupError(`There is no account "${username}".`)
      }
      return accounts.setPassword(username, await readNewPassword(), actor)
    },
    { changed: 'password set, and its sessions have ended', unchanged: 'unchanged' },
  ),
  setEmail,
  rename,
  mailing(
    'send-reset',
    'send a mail with which a person sets a new password',
    ({ accounts, actor }, username) => accounts.sendReset(username, actor),
  ),
  mailing(
    'send-verification',
    'send a mail that proves the address of an account',
    ({ accounts, actor }, username) => accounts.sendVerification(username, actor),
  ),
  exportData,
  remove,
  roleCommand('add', 'give an account a global role', {
    changed: 'role added',
    unchanged: 'already has this role',
  }),
  roleCommand('remove', 'remove a global role from an account', {
    changed: 'role removed',
    unchanged: 'does not have this role',
  }),
  ...factorCommands,
  ...identityCommands,
]
