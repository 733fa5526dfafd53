import type { ApplicationSummary } from '../sso/applications.ts'
import { APPLICATION_FLAGS, readApplicationFlags } from './application-flags.ts'
import { JSON_FLAG, type Command, type Operand } from './command.ts'
import { formatJson, print, printRows } from './print.ts'
import { confirm } from './prompt.ts'
import { createNamedChanges, printSecret, SECOND_SECRET } from './named-changes.ts'
import { unwrap } from './unwrap.ts'

const NAME: Operand = { name: 'NAME', text: 'The name of the application.' }

const create: Command = {
  words: ['applications', 'create'],
  summary: 'register an application in which people log in, and print its secret once',
  details:
    'Only `confidential` applications that authenticate with a secret get one. Logins need `COUNTERSIGN_SSO=true`.',
  operands: [NAME],
  flags: {
    id: {
      type: 'string',
      value: 'ID',
      text: 'The `client_id`. Without it, the command makes one. It never changes.',
    },
    ...APPLICATION_FLAGS,
  },
  example: 'applications create shop --redirect-uri https://shop.example.com/callback',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ applications, actor }) => {
      const input = { kind: 'confidential' as const, ...readApplicationFlags(options) }
      // The flags define these types.
      const id = options['id'] as string | undefined
      const title = options['title'] as string | undefined
      const { application, secret } = unwrap(
        await applications.create({ name, id, title, ...input }, actor),
      )
      print(`Application ${application.name} created.`)
      print(`Client id:     ${application.id}`)
      if (secret !== undefined) printSecret(secret)
    }),
}

const list: Command = {
  words: ['applications', 'list'],
  summary: 'list all applications in which people log in',
  operands: [],
  flags: JSON_FLAG,
  example: 'applications list',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ applications }) => {
      const rows = (await applications.list()).map((application) => ({
        name: application.name,
        id: application.id,
        title: application.title,
        state: stateOf(application),
        kind: application.registration.kind,
        first_party: application.registration.firstParty ? 'yes' : 'no',
        secrets: application.secrets.length,
        created: new Date(application.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'There are no applications.' })
    }),
}

const show: Command = {
  words: ['applications', 'show'],
  summary: 'show what an application has registered, and its secrets',
  details: 'Prints JSON. The names of the members are those of `COUNTERSIGN_APPLICATIONS_FILE`.',
  operands: [NAME],
  example: 'applications show shop',
  run: ({ operands: [name = ''], withWorkbench }) =>
    withWorkbench(async ({ applications }) => {
      const application = unwrap(await applications.show(name))
      const { id, title, registration, createdAt, secrets } = application
      const shown = {
        id,
        name,
        title,
        ...registration,
        state: stateOf(application),
        created: new Date(createdAt),
        secrets: secrets.map((secret) => ({
          id: secret.id,
          created: new Date(secret.createdAt),
          last_used: secret.lastUsedAt === undefined ? null : new Date(secret.lastUsedAt),
        })),
      }
      print(formatJson(shown, 2))
    }),
}

const change: Command = {
  words: ['applications', 'change'],
  summary: 'change the title or the registration of an application',
  details:
    'Members without a flag stay as they are. A flag that can be repeated replaces the whole list. An empty value removes the member.',
  operands: [NAME],
  flags: APPLICATION_FLAGS,
  example: 'applications change shop --redirect-uri https://shop.example.com/oidc/callback',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ applications, actor }) => {
      const title = options['title'] as string | undefined
      const changes = {
        ...readApplicationFlags(options),
        ...(title === undefined ? {} : { title }),
      }
      const changed = unwrap(await applications.change(name, changes, actor))
      print(`Application ${name}: ${changed === 'changed' ? 'changed' : 'was already like this'}.`)
    }),
}

const changing = createNamedChanges('Application', NAME)

const remove: Command = {
  words: ['applications', 'delete'],
  summary: 'delete an application and revoke its tokens',
  details:
    'This cannot be undone. People who have allowed it are asked again if it is registered again. The command first asks you to type the name.',
  operands: [NAME],
  flags: { yes: { type: 'boolean', text: 'Delete without asking. Needed outside a terminal.' } },
  example: 'applications delete shop --yes',
  run: ({ operands: [name = ''], options, withWorkbench }) =>
    withWorkbench(async ({ applications, actor }) => {
      const { id, title } = unwrap(await applications.show(name))
      if (options['yes'] !== true) await confirm(`Delete ${title} (${id}) for good?`, name)
      unwrap(await applications.delete(name, actor))
      print(
        `Application ${name}: deleted, and its tokens are revoked. The audit lists it as ${id}.`,
      )
    }),
}

const addSecret: Command = {
  words: ['applications', 'secrets', 'add'],
  summary: 'add a second secret to an application and print it once',
  details: SECOND_SECRET,
  operands: [NAME],
  example: 'applications secrets add shop',
  run: ({ operands: [name = ''], withWorkbench }) =>
    withWorkbench(async ({ applications, actor }) => {
      printSecret(unwrap(await applications.addSecret(name, actor)))
    }),
}

function stateOf({ disabledAt }: ApplicationSummary): string {
  return disabledAt === undefined ? 'active' : 'disabled'
}

/** The commands `countersign applications ...`. */
export const applicationCommands: readonly Command[] = [
  create,
  list,
  show,
  change,
  changing({
    about: {
      words: ['applications', 'disable'],
      summary: 'revoke the tokens of an application and let nobody log in there',
      example: 'applications disable shop',
    },
    apply: ({ applications, actor }, name) => applications.disable(name, actor),
    done: { changed: 'disabled, nobody can log in there', unchanged: 'was already disabled' },
  }),
  changing({
    about: {
      words: ['applications', 'enable'],
      summary: 'let people log in at a disabled application again',
      details: 'Tokens that were revoked stay revoked.',
      example: 'applications enable shop',
    },
    apply: ({ applications, actor }, name) => applications.enable(name, actor),
    done: { changed: 'enabled, people can log in there again', unchanged: 'was not disabled' },
  }),
  remove,
  addSecret,
  changing({
    about: {
      words: ['applications', 'secrets', 'remove'],
      summary: 'remove a secret of an application',
      example: 'applications secrets remove shop sec_Zm9vYmFyYmF6cXV4MTIzNA',
    },
    second: { name: 'SECRET_ID', text: 'The id of the secret, as `applications show` shows it.' },
    apply: ({ applications, actor }, name, id) => applications.removeSecret(name, id, actor),
    done: { changed: 'secret removed', unchanged: 'unchanged' },
  }),
]
