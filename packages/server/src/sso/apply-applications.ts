import { createHash } from 'node:crypto'

import type { Clock } from '../base/clock.ts'
import type { AuditContext } from '../store/audit-context.ts'
import type { ClientSecret } from '../store/rows.ts'
import type { ApplicationStore, ApplicationView } from '../store/sso.ts'
import type { Store } from '../store/store.ts'
import type { FileApplication } from './applications-file.ts'

/** The dependencies for applying a file. */
export interface ApplyOptions {
  readonly store: Pick<Store, 'sso'>
  readonly clock: Clock
}

const ACTOR = 'system'
const SECRETS_MAX = 2

/**
 * Creates the applications of the file, and changes those that differ. Does nothing if all are as the file says, so
 * every start may call it, on several nodes at once. Applications that the file does not name stay as they are, and a
 * disabled application stays disabled. Returns the mistakes, which name the entry.
 */
export async function applyApplications(
  applications: readonly FileApplication[],
  options: ApplyOptions,
): Promise<readonly string[]> {
  const mistakes: string[] = []
  for (const application of applications) {
    const mistake = await apply(application, options)
    if (mistake !== undefined) mistakes.push(mistake)
  }
  return mistakes
}

async function apply(
  application: FileApplication,
  { store: { sso }, clock }: ApplyOptions,
): Promise<string | undefined> {
  const { id, name, title } = application
  const { applications } = sso
  const registration = JSON.stringify(application.registration)
  const context: AuditContext = { at: clock.nowMs(), actor: ACTOR }
  const row = { id, name, title, registration, disabledAt: undefined, createdAt: context.at }
  let view = await applications.view(id)
  if (view === undefined) {
    const created = await applications.create(row, undefined, context)
    // Another node may have created it meanwhile.
    view = await applications.view(id)
    if (view === undefined) {
      return created === 'taken'
        ? `the name "${name}" of ${id}: another application in the database has it`
        : undefined
    }
  }
  if (view.application.name !== name) {
    return `the name "${name}" of ${id}: the application has the name "${view.application.name}" in the database, and names do not change`
  }
  await applications.change(id, { title, registration }, context)
  if (application.secretHashes !== undefined) {
    await applySecrets(view, application.secretHashes, { sso, context })
  }
  return undefined
}

/**
 * Makes the secrets exactly those of the file. A secret that stays works all the time. An old one goes before a new one
 * comes only if there is no room for both.
 */
async function applySecrets(
  { application: { id }, secrets }: ApplicationView,
  hashes: readonly Uint8Array[],
  { sso: { applications }, context }: { sso: Store['sso']; context: AuditContext },
): Promise<void> {
  const old = secrets.filter(({ hash }) => !hasHash(hashes, hash)).map((secret) => secret.id)
  const stored = secrets.map(({ hash }) => hash)
  const missing = hashes.filter((hash) => !hasHash(stored, hash))
  let count = secrets.length
  const removeOld = async (): Promise<void> => {
    const first = old.shift()
    if (first === undefined) return
    await applications.removeSecret(id, first, context)
    count -= 1
  }
  for (const hash of missing) {
    if (count === SECRETS_MAX) await removeOld()
    await add(applications, id, rowOf(hash, context), context)
    count += 1
  }
  while (old.length > 0) await removeOld()
}

/** Adds a secret. Another node that starts with the same file may add it at the same moment. */
async function add(
  applications: ApplicationStore,
  id: string,
  secret: ClientSecret,
  context: AuditContext,
): Promise<void> {
  try {
    await applications.addSecret(id, secret, context)
  } catch (error) {
    const view = await applications.view(id)
    const stored = view?.secrets.map(({ hash }) => hash) ?? []
    if (!hasHash(stored, secret.hash)) throw error
  }
}

function hasHash(hashes: readonly Uint8Array[], hash: Uint8Array): boolean {
  return hashes.some((each) => Buffer.compare(each, hash) === 0)
}

/** The id follows from the hash, so that two nodes that start at once add one secret. */
function rowOf(hash: Uint8Array, { at }: AuditContext): ClientSecret {
  const digest = createHash('sha256').update('secret id').update(hash).digest('base64url')
  return { id: `sec_${digest.slice(0, 22)}`, hash, createdAt: at, lastUsedAt: undefined }
}
