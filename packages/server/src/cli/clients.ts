import { SetupError } from '../base/faults.ts'
import { createNamedChanges, printSecret, SECOND_SECRET } from './named-changes.ts'
import { unwrap } from './unwrap.ts'
import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { print, printRows } from './print.ts'

const NAME: Operand = { name: 'NAME', text: 'The name of the service account.' }

const create: Command = {
  words: ['clients', 'create'],
  summary: 'create a service account and print its secret once',
  operands: [NAME],
  flags: {
    role: {
      type: 'string',
      multiple: true,
      value: 'ROLE',
      text: 'Give the service account this role. Repeat it for several roles.',
    },
    tenant: {
      type: 'string',
      value: 'TENANT',
      text: 'Bind the service account to this tenant. Its roles then apply only in that tenant.',
    },
  },
  example: 'clients create billing --role reader',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ clients, actor }) => {
      // The flags above define these types.
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
  summary: 'list all service accounts and their roles',
  operands: [],
  flags: JSON_FLAG,
  example: 'clients list',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ clients }) => {
      const rows = (await clients.list()).map((client) => ({
        name: client.name,
        id: client.id,
        state: client.disabledAt === undefined ? 'active' : 'disabled',
        tenant: client.tenantName,
        roles: client.roles,
        secrets: client.secrets.length,
        created: new Date(client.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'There are no service accounts.' })
    }),
}

const changing = createNamedChanges('Service account', NAME)

const setRoles: Command = {
  words: ['clients', 'roles', 'set'],
  summary: 'replace the roles of a service account',
  details: 'Without a ROLE, all roles are removed. Existing access tokens are rejected at once.',
  operands: [NAME, { name: 'ROLE', text: 'The name of a role.', optional: true, max: 64 }],
  example: 'clients roles set billing reader writer',
  run: ({ operands: [name = '', ...roles], withWorkbench }) =>
    withWorkbench(async ({ clients, actor }) => {
      const change = unwrap(await clients.setRoles(name, roles, actor))
      const done = change === 'changed' ? 'has these roles' : 'already had these roles'
      print(`Service account ${name}: ${done}.`)
    }),
}

const addSecret: Command = {
  words: ['clients', 'secrets', 'add'],
  summary: 'add a second secret to a service account and print it once',
  details: SECOND_SECRET,
  operands: [NAME],
  example: 'clients secrets add billing',
  run: ({ operands: [name = ''], withWorkbench }) =>
    withWorkbench(async ({ clients, actor }) => {
      printSecret(unwrap(await clients.addSecret(name, actor)))
    }),
}

const listSecrets: Command = {
  words: ['clients', 'secrets', 'list'],
  summary: 'list the ids of the secrets of a service account and when each was last used',
  operands: [NAME],
  flags: JSON_FLAG,
  example: 'clients secrets list billing',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ clients }) => {
      const client = (await clients.list()).find((each) => each.name === name)
      if (client === undefined) throw new SetupError(`There is no service account "${name}".`)
      const rows = client.secrets.map(({ id, createdAt, lastUsedAt }) => ({
        id,
        created: new Date(createdAt),
        last_used: lastUsedAt === undefined ? null : new Date(lastUsedAt),
      }))
      printRows(rows, {
        json: options['json'] === true,
        empty: 'This service account has no secrets.',
      })
    }),
}

/** The commands `countersign clients ...`. */
export const clientCommands: readonly Command[] = [
  create,
  list,
  changing({
    about: {
      words: ['clients', 'disable'],
      summary: 'revoke the tokens of a service account and issue no more',
      example: 'clients disable billing',
    },
    apply: ({ clients, actor }, name) => clients.disable(name, actor),
    done: { changed: 'disabled, it gets no more tokens', unchanged: 'was already disabled' },
  }),
  changing({
    about: {
      words: ['clients', 'enable'],
      summary: 'issue tokens to a disabled service account again',
      details: 'Tokens that were revoked stay revoked.',
      example: 'clients enable billing',
    },
    apply: ({ clients, actor }, name) => clients.enable(name, actor),
    done: { changed: 'enabled, it can get tokens again', unchanged: 'was not disabled' },
  }),
  setRoles,
  addSecret,
  listSecrets,
  changing({
    about: {
      words: ['clients', 'secrets', 'remove'],
      summary: 'remove a secret of a service account',
      example: 'clients secrets remove billing sec_Zm9vYmFyYmF6cXV4MTIzNA',
    },
    second: {
      name: 'SECRET_ID',
      text: 'The id of the secret, as `clients secrets list` shows it.',
    },
    apply: ({ clients, actor }, name, id) => clients.removeSecret(name, id, actor),
    done: { changed: 'secret removed', unchanged: 'unchanged' },
  }),
]
