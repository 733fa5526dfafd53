import { describe, expect, test } from 'vitest'

import type { NewInvitation, PresentedInvitation } from '../../src/store/invitations.ts'
import type { NewMail } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import { NOW } from '../support/session-rows.ts'
import { engines } from './engines.ts'
import { account, BY, DAY_MS, logOf, tally, tenant } from './samples.ts'

const LATER = NOW + 7 * DAY_MS
const ALICE = { address: 'Alice@example.com', key: 'alice@example.com' }
const OWNER = { accountId: 'acct_owner', isInTenant: true }

/** The hash that a test uses for a secret. */
function hash(text: string): Uint8Array {
  return new Uint8Array(32).fill(text.charCodeAt(0))
}

function invitation(id: string, more: Partial<NewInvitation> = {}): NewInvitation {
  return {
    id,
    tenantId: 'ten_1',
    email: ALICE,
    roles: ['reader'],
    inviterId: undefined,
    linkHash: hash('link'),
    codeHash: hash('code'),
    createdAt: NOW,
    expiresAt: LATER,
    ...more,
  }
}

function present(id: string, link?: string, code?: string): PresentedInvitation {
  return {
    id,
    linkHashes: link === undefined ? undefined : [hash('x'), hash(link)],
    codeHashes: code === undefined ? undefined : [hash('x'), hash(code)],
  }
}

function mail(id: string): NewMail {
  return {
    id,
    kind: 'invitation',
    recipient: 'alice@example.com',
    locale: 'en',
    sealed: new Uint8Array(4),
    accountId: undefined,
    createdAt: NOW,
    notAfter: LATER,
  }
}

/** Two tenants, an owner of the first, and alice with her verified address. */
async function prepare({ accounts, tenants, roles }: Store): Promise<void> {
  await tenants.create(tenant('ten_1', 'acme'), BY)
  await tenants.create(tenant('ten_2', 'globex'), BY)
  await accounts.create(account('acct_owner'), 'owner', BY)
  await accounts.create(account('acct_1', { email: { ...ALICE, verifiedAt: NOW } }), 'acct_1', BY)
  await accounts.create(account('acct_2'), 'acct_2', BY)
  await roles.define({ name: 'reader', permissions: ['read'] }, BY)
  await roles.define({ name: 'owner', permissions: ['read', 'tenant.members', 'tenant.roles'] }, BY)
  await roles.define({ name: 'writer', permissions: ['write'] }, BY)
  await tenants.setMember('acct_owner', 'ten_1', ['owner'], BY)
}

async function accept(store: Store, one: PresentedInvitation, who = 'acct_1'): Promise<string> {
  const accepted = await store.invitations.accept([one], who, BY)
  return accepted.ok ? accepted.roles.join(' ') : accepted.code
}

describe.each(engines)('invitations on %s', (_, open) => {
  test('are written with their mail, listed without hashes, and accepted once', async () => {
    await using it = await open()
    const { store } = it
    await prepare(store)
    const created = store.invitations.create(
      invitation('one', { inviterId: 'acct_owner' }),
      OWNER,
      {
        ...BY,
        mails: [mail('m1')],
      },
    )
    expect(await created).toBe('created')
    expect(await store.mail.list({ limit: 9 })).toMatchObject([{ id: 'm1' }])
    const [summary] = await store.invitations.list('ten_1', 9)
    expect(summary).toEqual({
      id: 'one',
      tenantId: 'ten_1',
      tenantName: 'acme',
      email: ALICE,
      roles: ['reader'],
      inviterId: 'acct_owner',
      inviter: 'acct_owner',
      mailings: 1,
      attempts: 0,
      createdAt: NOW,
      expiresAt: LATER,
      state: 'open',
    })
    expect(await store.invitations.listFor(ALICE.key)).toEqual([summary])
    expect(await store.invitations.find('one', 'ten_1')).toEqual(summary)
    expect(await store.invitations.find('one', 'ten_2')).toBeUndefined()
    await it.reopen()
    expect(await accept(it.store, present('one', 'link'))).toBe('reader')
    expect(await accept(it.store, present('one', 'link'))).toBe('invitation_void')
    expect(await it.store.invitations.list('ten_1', 9)).toEqual([])
    expect(await it.store.tenants.membershipsOf('acct_1')).toMatchObject([
      { tenantId: 'ten_1', roles: ['reader'] },
    ])
    // The first membership is the default tenant, and makes no token stale.
    expect((await it.store.accounts.get('acct_1'))?.defaultTenantId).toBe('ten_1')
    expect(await logOf(it.store)).not.toContain('account acct_1 soft')
  })

  test('are accepted by the owner of the address, by id, link or code', async () => {
    await using it = await open()
    const { store } = it
    await prepare(store)
    await store.invitations.create(invitation('one'), undefined, BY)
    const table: readonly (readonly [string, PresentedInvitation, string])[] = [
      ['acct_2', present('one', 'link'), 'email_unverified'],
      ['acct_none', present('one', 'link'), 'email_unverified'],
      ['acct_1', present('two'), 'invitation_void'],
      ['acct_1', present('one', 'wrong'), 'invitation_void'],
      ['acct_1', present('one', undefined, 'wrong'), 'code_wrong'],
      ['acct_1', present('one', 'link', 'wrong'), 'code_wrong'],
    ]
    for (const [who, one, expected] of table) expect(await accept(store, one, who)).toBe(expected)
    const other = { address: 'bob@example.com', key: 'bob@example.com', verifiedAt: NOW }
    await store.accounts.setEmail('acct_2', other, BY)
    expect(await accept(store, present('one', 'link'), 'acct_2')).toBe('invitation_for_another')
    expect(await accept(store, present('one'), 'acct_2')).toBe('invitation_void')
    expect(await accept(store, present('one', undefined, 'code'), 'acct_2')).toBe('invitation_void')
    expect(await store.invitations.find('one', 'ten_1')).toMatchObject({ attempts: 2 })
    expect(await accept(store, present('one', 'link', 'code'))).toBe('reader')
  })

  test('of several, the right one is accepted, and five wrong codes void the code', async () => {
    await using it = await open()
    const { store } = it
    await prepare(store)
    await store.invitations.create(invitation('one'), undefined, BY)
    await store.invitations.create(
      invitation('two', { tenantId: 'ten_2', codeHash: hash('other'), roles: [] }),
      undefined,
      BY,
    )
    const both = [present('one', undefined, 'other'), present('two', undefined, 'other')]
    expect(await store.invitations.accept(both, 'acct_1', BY)).toMatchObject({
      ok: true,
      tenantName: 'globex',
      roles: [],
      hasRevoked: false,
    })
    for (let i = 0; i < 4; i += 1) {
      expect(await accept(store, present('one', undefined, 'wrong'))).toBe('code_wrong')
    }
    expect(await accept(store, present('one', undefined, 'code'))).toBe('invitation_void')
    expect(await accept(store, present('one'))).toBe('reader')
  })

  test('one is open for each address and tenant, and a new mail voids the older secrets', async () => {
    await using it = await open()
    const { store } = it
    const { invitations } = store
    await prepare(store)
    await invitations.create(invitation('one'), undefined, BY)
    await invitations.create(invitation('two'), undefined, BY)
    await invitations.create(invitation('three', { tenantId: 'ten_2' }), undefined, BY)
    expect((await invitations.list('ten_1', 9)).map(({ id }) => id)).toEqual(['two'])
    expect(await accept(store, present('one', 'link'))).toBe('invitation_void')
    const mailing = {
      id: 'two',
      tenantId: 'ten_1',
      inviterId: 'acct_owner',
      linkHash: hash('new link'),
      codeHash: hash('Code'),
      expiresAt: LATER + 1,
    }
    expect(await invitations.resend(mailing, OWNER, BY)).toBe('changed')
    expect(await invitations.find('two', 'ten_1')).toMatchObject({
      mailings: 2,
      attempts: 0,
      inviter: 'acct_owner',
      expiresAt: LATER + 1,
    })
    for (const wrong of [{ id: 'one' }, { tenantId: 'ten_2' }, { id: 'none' }]) {
      expect(await invitations.resend({ ...mailing, ...wrong }, undefined, BY)).toBe('unknown')
      expect(await invitations.withdraw({ ...mailing, ...wrong }, undefined, BY)).toBe('unknown')
    }
    expect(await accept(store, present('two', 'link'))).toBe('invitation_void')
    expect(await accept(store, present('two', 'new link'))).toBe('reader')
    expect(await invitations.resend(mailing, undefined, BY)).toBe('unknown')
    expect(await invitations.withdraw({ id: 'two', tenantId: 'ten_1' }, undefined, BY)).toBe(
      'unknown',
    )
  })

  test('need the rights of their actor in the same step', async () => {
    await using it = await open()
    const { store } = it
    const { invitations, tenants, accounts } = store
    await prepare(store)
    const create = (roles: readonly string[], actor = OWNER): Promise<string> =>
      invitations.create(invitation(`id ${roles.join()}`, { roles }), actor, BY)
    expect(await create(['reader', 'owner'])).toBe('created')
    expect(await create(['writer'])).toBe('role_forbidden')
    expect(await create(['nobody defined it'])).toBe('role_forbidden')
    expect(await create([], { ...OWNER, isInTenant: false })).toBe('permission_missing')
    expect(await create([], { accountId: 'acct_2', isInTenant: true })).toBe('permission_missing')
    await accounts.addRole('acct_2', 'owner', BY)
    expect(await create(['owner'], { accountId: 'acct_2', isInTenant: false })).toBe('created')
    expect(await invitations.create(invitation('x', { tenantId: 'ten_3' }), undefined, BY)).toBe(
      'unknown',
    )
    await accounts.disable('acct_2', BY)
    expect(await create([], { accountId: 'acct_2', isInTenant: false })).toBe('permission_missing')
    await tenants.disable('ten_1', BY)
    expect(await create([])).toBe('tenant_disabled')
    expect(await invitations.listFor(ALICE.key)).toEqual([])
    expect((await invitations.list('ten_1', 9)).map(({ id }) => id)).toEqual(['id owner'])
  })

  test('expire, are declined only by their person, and are purged', async () => {
    await using it = await open()
    const { store, clock } = it
    const { invitations } = store
    await prepare(store)
    const soon = { expiresAt: clock.nowMs() + 1_000 }
    await invitations.create(invitation('one', soon), undefined, BY)
    expect(await invitations.decline('one', 'acct_2', BY)).toBe('unknown')
    expect(await invitations.decline('none', 'acct_1', BY)).toBe('unknown')
    expect(await invitations.decline('one', 'acct_1', BY)).toBe('changed')
    expect(await invitations.decline('one', 'acct_1', BY)).toBe('unknown')
    await invitations.create(invitation('two', soon), undefined, BY)
    clock.advanceMs(1_000)
    expect(await accept(store, present('two', 'link'))).toBe('invitation_void')
    expect(await invitations.listFor(ALICE.key)).toEqual([])
    expect(await invitations.list('ten_1', 9)).toHaveLength(1)
    expect(await invitations.purge(1, 9)).toBe(0)
    clock.advanceMs(1)
    expect(await invitations.purge(1, 1)).toBe(1)
    expect(await invitations.purge(1, 9)).toBe(1)
    expect(await invitations.list('ten_1', 9)).toEqual([])
  })

  test('of 50 who accept in three connections, one is a member', async () => {
    await using it = await open()
    const { store, beside } = it
    await prepare(store)
    await store.invitations.create(invitation('one'), undefined, BY)
    const one = [present('one', 'link')]
    const results = await Promise.all(
      Array.from({ length: 50 }, (_each, index) =>
        [
          () => store.invitations.accept(one, 'acct_1', BY),
          () => beside.invitations.accept(one, 'acct_1', BY),
          () => it.elsewhere('invitations.accept', one, 'acct_1', BY),
        ][index % 3]!(),
      ),
    )
    const codes = results.map((each) => {
      // The methods of all connections have the same type.
      const accepted = each as Awaited<ReturnType<Store['invitations']['accept']>>
      return accepted.ok ? 'accepted' : accepted.code
    })
    expect(tally(codes)).toEqual({ accepted: 1, invitation_void: 49 })
  })
})

describe.each(engines)('members who are changed by a person, on %s', (_, open) => {
  test('keep one administrator, and lose their invitations with their roles', async () => {
    await using it = await open()
    const { store } = it
    const { tenants, invitations } = store
    await prepare(store)
    const change = (accountId: string, roles: readonly string[] | undefined): Promise<string> =>
      tenants.changeMember({ accountId, tenantId: 'ten_1', roles }, OWNER, BY)
    expect(await change('acct_owner', undefined)).toBe('last_administrator')
    expect(await change('acct_owner', ['reader'])).toBe('last_administrator')
    expect(await change('acct_1', ['reader'])).toBe('unknown')
    await tenants.setMember('acct_1', 'ten_1', ['writer'], BY)
    expect(await change('acct_1', ['reader'])).toBe('member_protected')
    await tenants.setMember('acct_1', 'ten_1', ['owner'], BY)
    await invitations.create(
      invitation('one', { inviterId: 'acct_1', email: { address: 'b@x.test', key: 'b@x.test' } }),
      undefined,
      BY,
    )
    expect(await change('acct_1', ['owner', 'writer'])).toBe('role_forbidden')
    expect(await change('acct_1', ['owner', 'reader'])).toBe('changed')
    expect(await invitations.list('ten_1', 9)).toHaveLength(1)
    expect(await change('acct_1', ['reader'])).toBe('changed')
    expect(await invitations.list('ten_1', 9)).toEqual([])
    expect(await change('acct_1', ['reader'])).toBe('unchanged')
    expect(await change('acct_1', undefined)).toBe('changed')
    expect((await logOf(store)).filter((line) => line === 'account acct_1 soft')).toHaveLength(4)
    expect(
      await tenants.changeMember({ accountId: 'acct_1', tenantId: 'ten_3', roles: [] }, OWNER, BY),
    ).toBe('unknown')
  })

  test('a restored database has no open invitation of the backup', async () => {
    await using it = await open()
    const { store } = it
    await store.tenants.create(tenant(), BY)
    await store.invitations.create(invitation('one'), undefined, BY)
    expect(await store.invitations.find('one', 'ten_1')).toMatchObject({ state: 'open' })
    const head = await store.revocations.head()
    const by = { issuer: 'https://auth.example', at: NOW, actor: 'system' }
    await store.revocations.startOver(head.position, head, by, { killed: [] })
    expect(await store.invitations.find('one', 'ten_1')).toBeUndefined()
  })
})
