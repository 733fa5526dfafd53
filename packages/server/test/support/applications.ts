import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import type { ApplicationSummary, NewApplication } from '../../src/sso/applications.ts'
import { databases, type TestAuthority } from './authority.ts'

export const CALLBACK = 'https://shop.example.com/callback'

/** Registers an application. Throws if it is refused. */
export async function registerApplication(
  { authority }: Pick<TestAuthority, 'authority'>,
  more: Partial<NewApplication> = {},
): Promise<{ readonly application: ApplicationSummary; readonly secret: string | undefined }> {
  const created = await authority.applications.create(
    { name: 'shop', title: 'Shop', kind: 'confidential', redirectUris: [CALLBACK], ...more },
    'test',
  )
  if (!created.ok) throw new Error(created.text)
  const { application, secret } = created.value
  return { application, secret: secret?.secret }
}

/** Opens the store of a running authority, as a command does. */
export async function openSecondStore({ dataDir, clock }: TestAuthority): Promise<Store> {
  const { databaseUrl } = databases.get(dataDir) ?? {}
  return openStore({ dataDir, databaseUrl }, { exclusive: false, clock })
}
