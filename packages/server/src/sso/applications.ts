import { makeClientSecret } from '../accounts/client-secrets.ts'
import type { ShownSecret } from '../accounts/clients.ts'
import { no, yes, type Managed } from '../accounts/managed.ts'
import type { Clock, EpochMs } from '../base/clock.ts'
import { assertOptions } from '../base/options.ts'
import { randomId, type Random } from '../base/random.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Change } from '../store/change.ts'
import type { Application, ListedSecret } from '../store/sso.ts'
import type { Store } from '../store/store.ts'
import { checkIdentity, titleOf } from './application-names.ts'
import {
  mergeRegistration,
  parseRegistration,
  readRegistration,
  REGISTRATION_MEMBERS,
  usesSecrets,
  type Registration,
  type RegistrationInput,
  type RegistrationProblem,
} from './registration.ts'

/** A new application. */
export interface NewApplication extends RegistrationInput {
  /** Unique: 1 to 64 of `a-z 0-9 -`. Commands and calls name the application by it. */
  readonly name: string
  /** Its `client_id`. Default: `app_` and 22 random characters. */
  readonly id?: string | undefined
  /** The name that people see. Default: `name`. */
  readonly title?: string | undefined
}

/** New values of an application. Members that are missing stay as they are; undefined restores the default. */
export type ApplicationChanges = Partial<RegistrationInput> & { readonly title?: string }

/** An application, without the hashes of its secrets. */
export interface ApplicationSummary {
  /** Its `client_id`. */
  readonly id: string
  readonly name: string
  readonly title: string
  readonly registration: Registration
  readonly disabledAt: EpochMs | undefined
  readonly createdAt: EpochMs
  /** At most two, the oldest first. */
  readonly secrets: readonly ListedSecret[]
}

/**
 * Manages the applications in which people log in (OAuth clients), for operators and embedding applications. `by` is the
 * actor in the audit.
 */
export interface ApplicationManager {
  /** Creates an application. It gets a secret if it authenticates with one. */
  create(
    input: NewApplication,
    by: string,
  ): Promise<
    Managed<{ readonly application: ApplicationSummary; readonly secret: ShownSecret | undefined }>
  >
  /** Lists all applications, by name. */
  list(): Promise<readonly ApplicationSummary[]>
  show(name: string): Promise<Managed<ApplicationSummary>>
  /** Changes the title and the registration. */
  change(name: string, changes: ApplicationChanges, by: string): Promise<Managed<Change>>
  /** Revokes all tokens of the application. Nobody can log in there until it is enabled. */
  disable(name: string, by: string): Promise<Managed<Change>>
  /** Lets people log in there again. Revoked tokens stay revoked. */
  enable(name: string, by: string): Promise<Managed<Change>>
  /** Deletes the application with its secrets and consents, and revokes its tokens. A new one can have its name and a chosen id. */
  delete(name: string, by: string): Promise<Managed<Change>>
  /** Adds a second secret. Both secrets are accepted until one is removed. */
  addSecret(name: string, by: string): Promise<Managed<ShownSecret>>
  removeSecret(name: string, secretId: string, by: string): Promise<Managed<Change>>
}

/** Dependencies of the manager of applications. */
export interface ApplicationManagerOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly production: boolean
  /** The name of a member in messages: `--redirect-uri` for `redirectUris`. Default: the member. */
  readonly nameOf?: (member: string) => string
}

const OPTIONS = ['name', 'id', 'title', ...REGISTRATION_MEMBERS]

/** Creates the manager of applications. */
export function createApplicationManager({
  store,
  clock,
  random,
  production,
  nameOf = (member) => member,
}: ApplicationManagerOptions): ApplicationManager {
  // Over 70 lines, and not split: it only lists short methods that share these helpers.
  const { applications } = store.sso
  const auditBy = (by: string): AuditContext => ({ at: clock.nowMs(), actor: by })

  async function withApplication<T>(
    name: string,
    act: (application: Application) => Promise<Managed<T>>,
  ): Promise<Managed<T>> {
    const application = await applications.find(name)
    return application === undefined
      ? no('application_unknown', `There is no application "${name}".`)
      : act(application)
  }

  const changing =
    (apply: (id: string, context: AuditContext) => Promise<Change>) => (name: string, by: string) =>
      withApplication(name, async ({ id }) => yes(await apply(id, auditBy(by))))

  return {
    async create(input, by) {
      assertOptions('applications.create', input, OPTIONS)
      const { name, id = `app_${randomId(random)}`, title: given, ...registered } = input
      const identity = checkIdentity({ name, id, title: given })
      if (identity !== undefined) return no('application_name_invalid', identity)
      const parsed = parseRegistration(registered, { production })
      if (!parsed.ok) return invalid(parsed.problems, nameOf)
      const { registration } = parsed
      const now = clock.nowMs()
      const title = titleOf(given, name)
      const row = { id, name, title, disabledAt: undefined, createdAt: now }
      const secret = usesSecrets(registration) ? makeClientSecret(random, now) : undefined
      const created = await applications.create(
        { ...row, registration: JSON.stringify(registration) },
        secret?.row,
        auditBy(by),
      )
      if (created === 'taken') {
        return no('application_taken', `There is an application "${name}" or "${id}" already.`)
      }
      const secrets = secret === undefined ? [] : [withoutHash(secret.row)]
      const shown = secret && { id: secret.row.id, secret: secret.text }
      return yes({ application: { ...row, registration, secrets }, secret: shown })
    },

    async list() {
      const all = await applications.list()
      return all.map(({ application, secrets }) => summaryOf(application, secrets))
    },

    show: (name) =>
      withApplication(name, async ({ id }) => {
        const view = await applications.view(id)
        return view === undefined
          ? no('application_unknown', `There is no application "${name}".`)
          : yes(summaryOf(view.application, view.secrets.map(withoutHash)))
      }),

    change(name, changes, by) {
      assertOptions('applications.change', changes, ['title', ...REGISTRATION_MEMBERS])
      return withApplication(name, async (current) => {
        const { title: given = current.title, ...registered } = changes
        const identity = checkIdentity({ ...current, title: given })
        if (identity !== undefined) return no('application_name_invalid', identity)
        const merged = mergeRegistration(readRegistration(current.registration), registered)
        const parsed = parseRegistration(merged, { production })
        if (!parsed.ok) return invalid(parsed.problems, nameOf)
        const to = {
          title: titleOf(given, name),
          registration: JSON.stringify(parsed.registration),
        }
        return yes(await applications.change(current.id, to, auditBy(by)))
      })
    },

    disable: changing((id, context) => applications.disable(id, context)),
    enable: changing((id, context) => applications.enable(id, context)),
    delete: changing((id, context) => applications.delete(id, context)),

    addSecret: (name, by) =>
      withApplication(name, async ({ id, registration }) => {
        if (!usesSecrets(readRegistration(registration))) {
          return no(
            'application_without_secret',
            `The application "${name}" does not authenticate with a secret. Change its authentication first.`,
          )
        }
        const { row, text } = makeClientSecret(random, clock.nowMs())
        const added = await applications.addSecret(id, row, auditBy(by))
        return added === 'added'
          ? yes({ id: row.id, secret: text })
          : no(
              'application_secrets_full',
              `The application "${name}" has two secrets. Remove one first.`,
            )
      }),

    removeSecret: (name, secretId, by) =>
      withApplication(name, async ({ id }) => {
        const removed = await applications.removeSecret(id, secretId, auditBy(by))
        return removed === 'unknown'
          ? no('application_secret_unknown', `The application "${name}" has no such secret.`)
          : yes(removed)
      }),
  }
}

function summaryOf(
  { registration, ...application }: Application,
  secrets: readonly ListedSecret[],
): ApplicationSummary {
  return { ...application, registration: readRegistration(registration), secrets }
}

function withoutHash({ id, createdAt, lastUsedAt }: ListedSecret): ListedSecret {
  return { id, createdAt, lastUsedAt }
}

function invalid(
  problems: readonly RegistrationProblem[],
  nameOf: (member: string) => string,
): Managed<never> {
  const lines = problems.map(({ member, text }) => `  ${nameOf(member)}: ${text}.`)
  return no('application_invalid', ['The application is not valid:', ...lines].join('\n'))
}
