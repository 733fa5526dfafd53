import { unwrap } from './unwrap.ts'
import { JSON_FLAG, type Command } from './command.ts'
import { print, printRows } from './print.ts'

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
  run: ({ operands: [name = '', ...permissions], withWorkbench }) =>
    withWorkbench(async ({ roles, actor }) => {
      const change = unwrap(await roles.define({ name, permissions }, actor))
      print(`Role ${name}: ${change === 'changed' ? 'defined' : 'already had these permissions'}.`)
    }),
}

const list: Command = {
  words: ['roles', 'list'],
  summary: 'list the defined roles and their permissions',
  operands: [],
  flags: JSON_FLAG,
  example: 'roles list',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ roles }) => {
      const rows = (await roles.list()).map((role) => ({
        name: role.name,
        permissions: role.permissions,
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No roles are defined.' })
    }),
}

/** The commands `countersign roles ...`. */
export const roleCommands: readonly Command[] = [define, list]
