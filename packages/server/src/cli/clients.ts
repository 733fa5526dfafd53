import type { ShownSecret } from '../accounts/clients.ts'
import type { Managed } from '../accounts/managed.ts'
import { SetupError } from '../base/faults.ts'
import type { Change } from '../store/store.ts'
import { unwrap } from './accounts.ts'
import { withWorkbench, type Command, type Workbench } from './command.ts'
import { print, printRows } from './print.ts'

const create: Command = {
  words: ['clients', 'create'],
  usage: 'clients create NAME [--role ROLE]... [--tenant TENANT]',
  summary: 'add a service account; prints its secret, once',
  operands: { min: 1, max: 1 },
  options: { role: { type: 'string', multiple: true }, tenant: { type: 'string' } },
  run: ({ operands: [name = ''], options }) =>
    withWorkbench({ createsData: true }, async ({ clients, actor }) => {
      const roles = (options['role'] ?? []) as string[]
      const tenant = options['tenant'] as string | undefined
      const { client, secret } = unwrap(await clients.create({ name, roles, tenant }, actor))
      print(`Service account ${client.name} created.`)
      print(`Client id:     ${client.id}`)
      printSecret(secret)
    }),
}

const list: Command = {
  words: ['clients', 'list'],
  usage: 'clients list [--json]',
  summary: 'all service accounts with their roles',
  operands: { min: 0, max: 0 },
  options: { json: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ clients }) => {
      const rows = (await clients.list()).map((client) => ({
        name: client.name,
        id: client.id,
        state: client.disabledAt === undefined ? 'active' : 'disabled',
        tenant: client.tenantName,
        roles: client.roles,
        secrets: client.secrets.length,
        created: new Date(client.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No service accounts.' })
    }),
}

function changing(
  words: readonly string[],
  operand: string,
  summary: string,
  apply: (bench: Workbench, name: string, second: string) => Promise<Managed<Change>>,
  done: { readonly changed: string; readonly unchanged: string },
): Command {
  const count = operand === '' ? 1 : 2
  return {
    words: ['clients', ...words],
    usage: `clients ${words.join(' ')} NAME${operand}`,
    summary,
    operands: { min: count, max: count },
    run: ({ operands: [name = '', second = ''] }) =>
      withWorkbench({ createsData: false }, async (bench) => {
        const change = unwrap(await apply(bench, name, second))
        print(`Service account ${name}: ${change === 'changed' ? done.changed : done.unchanged}.`)
      }),
  }
}

const setRoles: Command = {
  words: ['clients', 'roles', 'set'],
  usage: 'clients roles set NAME [ROLE]...',
  summary: 'give it exactly these roles',
  operands: { min: 1, max: 65 },
  run: ({ operands: [name = '', ...roles] }) =>
    withWorkbench({ createsData: false }, async ({ clients, actor }) => {
      const change = unwrap(await clients.setRoles(name, roles, actor))
      const done = change === 'changed' ? 'has these roles' : 'had these roles already'
      print(`Service account ${name}: ${done}.`)
    }),
}

const addSecret: Command = {
  words: ['clients', 'secrets', 'add'],
  usage: 'clients secrets add NAME',
  summary: 'a second secret, so that it can be changed without a gap; prints it, once',
  operands: { min: 1, max: 1 },
  run: ({ operands: [name = ''] }) =>
    withWorkbench({ createsData: false }, async ({ clients, actor }) => {
      printSecret(unwrap(await clients.addSecret(name, actor)))
    }),
}

const listSecrets: Command = {
  words: ['clients', 'secrets', 'list'],
  usage: 'clients secrets list NAME [--json]',
  summary: 'the ids of its secrets, and when each was used last',
  operands: { min: 1, max: 1 },
  options: { json: { type: 'boolean' } },
  run: ({ operands: [name = ''], options }) =>
    withWorkbench({ createsData: false }, async ({ clients }) => {
      const client = (await clients.list()).find((each) => each.name === name)
      if (client === undefined) throw new SetupError(`There is no service account "${name}".`)
      const rows = client.secrets.map(({ id, createdAt, lastUsedAt }) => ({
        id,
        created: new Date(createdAt),
        last_used: lastUsedAt === undefined ? null : new Date(lastUsedAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'It has no secrets.' })
    }),
}

function printSecret({ id, secret }: ShownSecret): void {
  print(`Client secret: ${secret}`)
  print(`The secret, ${id} in lists, is shown this once: the server keeps only its hash.`)
}

export const clientCommands: readonly Command[] = [
  create,
  list,
  changing(
    ['disable'],
    '',
    'take back its tokens and give it no more',
    ({ clients, actor }, name) => clients.disable(name, actor),
    { changed: 'disabled, it gets no more tokens', unchanged: 'was disabled already' },
  ),
  changing(
    ['enable'],
    '',
    'let it have tokens again',
    ({ clients, actor }, name) => clients.enable(name, actor),
    { changed: 'enabled, it may have tokens again', unchanged: 'was not disabled' },
  ),
  setRoles,
  addSecret,
  listSecrets,
  changing(
    ['secrets', 'remove'],
    ' SECRET_ID',
    'let a secret count no more',
    ({ clients, actor }, name, id) => clients.removeSecret(name, id, actor),
    { changed: 'secret removed', unchanged: 'unchanged' },
  ),
]
