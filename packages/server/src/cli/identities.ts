import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { print, printRows } from './print.ts'
import { unwrap } from './unwrap.ts'

const NAME: Operand = { name: 'NAME', text: 'The username of the account.' }

const list: Command = {
  words: ['accounts', 'identities', 'list'],
  summary: 'list the identities of other services that can log in to an account',
  operands: [NAME],
  flags: JSON_FLAG,
  example: 'accounts identities list alice',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ identities }) => {
      const rows = unwrap(await identities.list(name)).map((each) => ({
        provider: each.provider,
        label: each.label,
        id: each.id,
        issuer: each.issuer,
        subject: each.subject,
        linked: new Date(each.linkedAt),
        last_used: each.lastUsedAt === undefined ? null : new Date(each.lastUsedAt),
      }))
      const empty = `Account ${name} has no identities of other services.`
      printRows(rows, { json: options['json'] === true, empty })
    }),
}

const unlink: Command = {
  words: ['accounts', 'identities', 'unlink'],
  summary: 'remove an identity of another service from an account',
  details:
    'It can no longer log in. The owner gets a mail, if the account has a verified address. If nobody could log in to the account afterwards, nothing changes: set a password first.',
  operands: [NAME, { name: 'ID', text: 'The id from `accounts identities list`.' }],
  example: 'accounts identities unlink alice idn_0rZ2Rk0tQnq3b1bIY2Tq6g',
  run: ({ operands: [name = '', id = ''], withWorkbench }) =>
    withWorkbench(async ({ identities, actor }) => {
      const change = unwrap(await identities.unlink(name, id, actor))
      print(
        change === 'changed'
          ? `Account ${name}: removed the identity.`
          : `Account ${name}: it has no such identity.`,
      )
    }),
}

/** The commands `countersign accounts identities ...`. */
export const identityCommands: readonly Command[] = [list, unlink]
