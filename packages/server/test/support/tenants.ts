import { expect } from 'vitest'

import type { AuthorityConfig } from '../../src/authority.ts'
import { ISSUER, PASSWORD } from './authority.ts'
import { TestBrowser, type Visit } from './browser.ts'
import type { Answer } from './contract.ts'
import { openMailingAuthority, type MailingAuthority } from './mails.ts'

/** What each role may do. `owner` may do everything in a tenant, `manager` only invites and removes. */
export const ROLES: Readonly<Record<string, readonly string[]>> = {
  owner: ['notes.read', 'notes.write', 'tenant.members', 'tenant.roles'],
  manager: ['notes.read', 'tenant.members'],
  editor: ['notes.read', 'notes.write'],
  reader: ['notes.read'],
  named: [],
  staff: ['notes.read', 'tenant.members', 'tenant.roles'],
}

/** A person of a test: where they are a member, and their global roles. */
export interface Person {
  readonly tenants?: Readonly<Record<string, readonly string[]>>
  readonly roles?: readonly string[]
  /** Default: verified. */
  readonly email?: 'unverified' | 'none'
}

/** An authority with the tenants `acme` and `globex`, in which people invite each other. */
export interface Tenants extends MailingAuthority {
  /** Creates an account with the address `NAME@example.com`, and logs it in to a tenant. */
  join(name: string, person?: Person, tenant?: string): Promise<TestBrowser>
  idOf(name: string): Promise<string>
  rolesOf(name: string, tenant?: string): Promise<readonly string[] | undefined>
}

/** Opens the authority of such a test. */
export async function openTenants(config: AuthorityConfig = {}): Promise<Tenants> {
  const it = await openMailingAuthority(config)
  for (const name of ['acme', 'globex']) await done(it.authority.tenants.create(name, 'test'))
  for (const [name, permissions] of Object.entries(ROLES)) {
    await done(it.authority.roles.define({ name, permissions }, 'test'))
  }
  const idOf = async (name: string): Promise<string> => {
    const { accounts } = await it.authority.accounts.list({ limit: 1_000 })
    return accounts.find(({ username }) => username === name)?.id ?? ''
  }
  return Object.assign(it, {
    idOf,
    async join(name: string, person: Person = {}, tenant?: string) {
      const { accounts, tenants } = it.authority
      await done(accounts.create({ username: name, password: PASSWORD }, 'test'))
      if (person.email !== 'none') {
        const verified = person.email !== 'unverified'
        await done(accounts.setEmail(name, { address: `${name}@example.com`, verified }, 'test'))
      }
      for (const role of person.roles ?? []) await done(accounts.addRole(name, role, 'test'))
      for (const [each, roles] of Object.entries(person.tenants ?? {})) {
        await done(tenants.setMember({ username: name, tenant: each, roles }, 'test'))
      }
      const browser = new TestBrowser(it)
      const given = tenant === undefined ? {} : { tenant }
      const answer = await browser.login({ username: name, password: PASSWORD, ...given })
      expect(answer.status).toBe(200)
      return browser
    },
    async rolesOf(name: string, tenant = 'acme') {
      const members = await it.authority.tenants.members(tenant, 1_000)
      if (!members.ok) throw new Error(members.text)
      return members.value.find(({ username }) => username === name)?.roles
    },
  })
}

async function done(
  managed: Promise<{ readonly ok: true } | { readonly ok: false; readonly text: string }>,
): Promise<void> {
  const result = await managed
  if (!result.ok) throw new Error(result.text)
}

/** The status of an answer, and its code if it has one. */
export async function outcome(answer: Answer | Promise<Answer>): Promise<string> {
  const { status, text } = await answer
  const { code = '' } = text.startsWith('{') ? (JSON.parse(text) as { code?: string }) : {}
  return `${status} ${code}`.trim()
}

/** Sends a request as a page of the server does, with cookies and the CSRF token. */
export function send(
  browser: TestBrowser,
  method: string,
  path: string,
  body?: unknown,
  more: Visit = {},
): Promise<Answer> {
  return browser.visit(path, { ...more, method, ...(body === undefined ? {} : { body }) })
}

/** Sends a request with an access token, or without any. */
export async function sendWith(
  it: MailingAuthority,
  token: string | undefined,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  return it.authority.fetch(new Request(`${ISSUER}${path}`, { method, headers, ...sent }))
}
