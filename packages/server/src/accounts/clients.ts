import type { Clock } from '../base/clock.ts'
import { assertOptions } from '../base/options.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Client, Tenant } from '../store/rows.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { Change } from '../store/change.ts'
import type { ClientSummary, Store } from '../store/store.ts'
import { makeClientSecret } from './client-secrets.ts'
import { no, yes, type Managed } from './managed.ts'
import { checkRoles } from './role-names.ts'

/** A secret as it is shown, once. The store keeps only its hash. */
export interface ShownSecret {
  /** Identifies the secret, for example to remove it. It is not secret itself. */
  readonly id: string
  readonly secret: string
}

/** Manages service accounts, for operators and embedding applications. `by` is the actor in the audit. */
export interface ClientManager {
  /**
   * Creates a service account with its first secret. If a tenant is given, all its tokens are in that tenant.
   */
  create(
    input: { name: string; roles?: readonly string[]; tenant?: string | undefined },
    by: string,
  ): Promise<Managed<{ readonly client: ClientSummary; readonly secret: ShownSecret }>>
  /** Lists all service accounts, by name. */
  list(): Promise<readonly ClientSummary[]>
  /** Revokes all tokens of the service account. It gets no new tokens until it is enabled. */
  disable(name: string, by: string): Promise<Managed<Change>>
  /** Lets the service account get tokens again. Revoked tokens stay revoked. */
  enable(name: string, by: string): Promise<Managed<Change>>
  /** Replaces the roles of the service account with exactly these. */
  setRoles(name: string, roles: readonly string[], by: string): Promise<Managed<Change>>
  /** Adds a second secret. Both secrets are accepted until one is removed. */
  addSecret(name: string, by: string): Promise<Managed<ShownSecret>>
  /**
   * Removes a secret. All tokens of the service account become stale, because they may have been issued for
   * this secret.
   */
  removeSecret(name: string, secretId: string, by: string): Promise<Managed<Change>>
}

/** Dependencies of the client manager. */
export interface ClientManagerOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

/** Creates the manager of service accounts. */
export function createClientManager({ store, clock, random }: ClientManagerOptions): ClientManager {
  // Over 70 lines, and not split: it only lists short methods that share these helpers.
  const { clients, tenants } = store
  const auditBy = (by: string): AuditContext => ({ at: clock.nowMs(), actor: by })

  async function withClient<T>(
    name: string,
    act: (client: Client) => Promise<Managed<T>>,
  ): Promise<Managed<T>> {
    const client = await clients.find(name)
    return client === undefined
      ? no('client_unknown', `There is no service account "${name}".`)
      : act(client)
  }

  async function findTenant(name: string | undefined): Promise<Managed<Tenant | undefined>> {
    if (name === undefined) return yes(undefined)
    const tenant = await tenants.find(name)
    return tenant === undefined
      ? no('tenant_unknown', `There is no tenant "${name}".`)
      : yes(tenant)
  }

  return {
    async create(input, by) {
      assertOptions('clients.create', input, ['name', 'roles', 'tenant'])
      const { name, roles = [], tenant: tenantName } = input
      const problem = checkClientName(name) ?? checkRoles(roles)
      if (problem !== undefined) return no(problem.code, problem.text)
      const tenant = await findTenant(tenantName)
      if (!tenant.ok) return tenant
      const now = clock.nowMs()
      const client: Client = {
        id: `svc_${randomId(random)}`,
        name,
        roles: [...new Set(roles)].toSorted(),
        tenantId: tenant.value?.id,
        disabledAt: undefined,
        hardPosition: 0,
        createdAt: now,
      }
      const secret = makeClientSecret(random, now)
      const created = await clients.create(client, secret.row, auditBy(by))
      if (created === 'taken')
        return no('client_taken', `There is a service account "${name}" already.`)
      const { hardPosition: _, ...shown } = client
      const { hash: __, ...listed } = secret.row
      return yes({
        client: { ...shown, tenantName, secrets: [listed] },
        secret: { id: listed.id, secret: secret.text },
      })
    },

    list: () => clients.list(),

    disable: (name, by) =>
      withClient(name, async ({ id }) => yes(await clients.disable(id, auditBy(by)))),

    enable: (name, by) =>
      withClient(name, async ({ id }) => yes(await clients.enable(id, auditBy(by)))),

    async setRoles(name, roles, by) {
      const problem = checkRoles(roles)
      if (problem !== undefined) return no(problem.code, problem.text)
      const sorted = [...new Set(roles)].toSorted()
      return withClient(name, async ({ id }) =>
        yes(await clients.setRoles(id, sorted, auditBy(by))),
      )
    },

    addSecret: (name, by) =>
      withClient(name, async ({ id }) => {
        const { row, text } = makeClientSecret(random, clock.nowMs())
        const added = await clients.addSecret(id, row, auditBy(by))
        return added === 'added'
          ? yes({ id: row.id, secret: text })
          : no(
              'client_secrets_full',
              `The service account "${name}" has two secrets. Remove one first.`,
            )
      }),

    removeSecret: (name, secretId, by) =>
      withClient(name, async ({ id }) => {
        const removed = await clients.removeSecret(id, secretId, auditBy(by))
        return removed === 'unknown'
          ? no('client_secret_unknown', `The service account "${name}" has no such secret.`)
          : yes(removed)
      }),
  }
}

function checkClientName(
  name: string,
): { readonly code: 'client_name_invalid'; readonly text: string } | undefined {
  if (/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(name)) return undefined
  const text =
    'The name of a service account has 1 to 64 of a-z, 0-9 and "-", and no "-" at its ends.'
  return { code: 'client_name_invalid', text }
}
