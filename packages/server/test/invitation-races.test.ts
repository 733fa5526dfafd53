import fc from 'fast-check'
import { expect, test } from 'vitest'

import type { PresentedInvitation } from '../src/store/invitations.ts'
import type { Store } from '../src/store/store.ts'
import { engines } from './store-contract/engines.ts'
import { account, BY, tenant } from './store-contract/samples.ts'
import { scheduledStore, schedulerArbitrary } from './support/scheduled.ts'

// Every interleaving of an acceptance with what voids it. Whoever accepts is a member only if nothing that
// voids the invitation came first.

const OWNER = { accountId: 'acct_owner', isInTenant: true }
const hash = (text: string): Uint8Array => new Uint8Array(32).fill(text.charCodeAt(0))
const ALICE = { address: 'alice@example.com', key: 'alice@example.com' }
const OLD_LINK: PresentedInvitation = {
  id: 'one',
  linkHashes: [hash('link')],
  codeHashes: undefined,
}

/** What may happen beside an acceptance. */
const others: Readonly<Record<string, (store: Store, expiresAt: number) => Promise<unknown>>> = {
  withdraw: ({ invitations }) => invitations.withdraw({ id: 'one', tenantId: 'ten_1' }, OWNER, BY),
  decline: ({ invitations }) => invitations.decline('one', 'acct_1', BY),
  resend: ({ invitations }, expiresAt) =>
    invitations.resend(
      {
        id: 'one',
        tenantId: 'ten_1',
        inviterId: 'acct_owner',
        linkHash: hash('new'),
        codeHash: hash('new'),
        expiresAt,
      },
      OWNER,
      BY,
    ),
  replace: ({ invitations }, expiresAt) =>
    invitations.create(
      {
        id: 'two',
        tenantId: 'ten_1',
        email: ALICE,
        roles: [],
        inviterId: 'acct_owner',
        linkHash: hash('new'),
        codeHash: hash('new'),
        createdAt: 0,
        expiresAt,
      },
      OWNER,
      BY,
    ),
  'remove the inviter': ({ tenants }) => tenants.removeMember('acct_owner', 'ten_1', BY),
  'disable the tenant': ({ tenants }) => tenants.disable('ten_1', BY),
  'take the address away': ({ accounts }) => accounts.setEmail('acct_1', undefined, BY),
  'remove the member': ({ tenants }) => tenants.removeMember('acct_1', 'ten_1', BY),
  'accept again': ({ invitations }) => invitations.accept([OLD_LINK], 'acct_1', BY),
}

async function prepare(
  { accounts, tenants, roles, invitations }: Store,
  expiresAt: number,
): Promise<void> {
  await tenants.create(tenant('ten_1', 'acme'), BY)
  await accounts.create(account('acct_owner'), 'owner', BY)
  await accounts.create(account('acct_1', { email: { ...ALICE, verifiedAt: 1 } }), 'acct_1', BY)
  await roles.define({ name: 'owner', permissions: ['tenant.members'] }, BY)
  await tenants.setMember('acct_owner', 'ten_1', ['owner'], BY)
  await invitations.create(
    {
      id: 'one',
      tenantId: 'ten_1',
      email: ALICE,
      roles: ['owner'],
      inviterId: 'acct_owner',
      linkHash: hash('link'),
      codeHash: hash('code'),
      createdAt: 0,
      expiresAt,
    },
    OWNER,
    BY,
  )
}

const [, inItsThread] = engines

test.each(Object.keys(others))('accept beside: %s', async (name) => {
  const act = others[name]!
  await fc.assert(
    fc.asyncProperty(schedulerArbitrary(), async (scheduler) => {
      await using it = await inItsThread![1]()
      const expiresAt = it.clock.nowMs() + 1_000
      await prepare(it.store, expiresAt)
      const store = scheduledStore(it.store, scheduler)
      const both = Promise.all([
        store.invitations.accept([OLD_LINK], 'acct_1', BY),
        act(store, expiresAt + 5),
      ])
      await scheduler.waitFor(both)
      const [accepted, other] = await both
      const members = await it.store.tenants.membersOf('ten_1', 9)
      const isMember = members.some(({ accountId }) => accountId === 'acct_1')
      const audit = await it.store.audit.list({ limit: 99 })
      const times = audit.filter(({ event }) => event === 'invitation_accepted').length

      if (name === 'accept again') {
        expect([isMember, times]).toEqual([true, 1])
        const again = other as typeof accepted
        expect([accepted.ok, again.ok].filter(Boolean)).toHaveLength(1)
        return
      }
      expect(times).toBe(accepted.ok ? 1 : 0)
      if (name === 'remove the member') {
        // It either came first and did nothing, or ended the membership.
        expect(accepted.ok).toBe(true)
        expect(isMember).toBe(other === 'unchanged')
        return
      }
      expect(isMember).toBe(accepted.ok)
      if (['withdraw', 'decline', 'resend'].includes(name)) {
        expect(accepted.ok).toBe(other === 'unknown')
      }
      // Nothing of the invitation is left that could be accepted later with the older link.
      const later = await it.store.invitations.accept([OLD_LINK], 'acct_1', BY)
      expect(later.ok).toBe(false)
    }),
    { numRuns: 12 },
  )
})
