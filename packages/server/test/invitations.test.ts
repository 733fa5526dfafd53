import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { decideInvitation } from '../src/store/decide-invitation.ts'
import type { Invitation } from '../src/store/invitations.ts'
import { ISSUER } from './support/authority.ts'
import { membersOf, type TestBrowser } from './support/browser.ts'
import { openTenants, outcome, send, type Tenants } from './support/tenants.ts'

const DAY_MS = 86_400_000
const INVITATIONS = '/auth/tenants/acme/invitations'
const ACCEPT = '/auth/invitations/accept'

let it: Tenants
let owner: TestBrowser
beforeEach(async () => {
  it = await openTenants()
  owner = await it.join('owner', { tenants: { acme: ['owner'] } })
})
afterEach(() => it[Symbol.asyncDispose]())

interface Sent {
  readonly id: string
  readonly link: string
  readonly code: string
  /** The URL of the link. */
  readonly url: string
}

async function invite(email: string, roles: readonly string[] = ['editor']): Promise<Sent> {
  const answer = await send(owner, 'POST', INVITATIONS, { email, roles })
  expect(answer.status).toBe(201)
  const { kind, link, code, url } = await it.nextMail()
  expect(kind).toBe('invitation')
  return { id: String(membersOf(answer)['id']), link, code, url }
}

function accept(browser: TestBrowser, body: object): Promise<string> {
  return outcome(send(browser, 'POST', ACCEPT, body))
}

async function ownInvitations(browser: TestBrowser): Promise<readonly Record<string, unknown>[]> {
  const answer = await browser.get('/auth/invitations')
  expect(answer.status).toBe(200)
  return membersOf(answer)['invitations'] as Record<string, unknown>[]
}

async function openIds(): Promise<readonly string[]> {
  const listed = await it.authority.tenants.invitations('acme', 100)
  return listed.ok ? listed.value.map(({ id }) => id) : []
}

async function events(...wanted: readonly string[]): Promise<readonly string[]> {
  const { entries } = await it.authority.audit.list({ limit: 200 })
  return entries
    .filter(({ event }) => wanted.includes(event))
    .map(({ event, outcome: result, detail }) => `${event} ${result} ${detail ?? ''}`)
    .toReversed()
}

describe('an invitation', () => {
  test('is mailed, listed for its person, and accepted with the membership', async () => {
    const bob = await it.join('bob')
    const { id, link, url } = await invite('Bob@Example.com', ['editor', 'reader'])
    expect(await ownInvitations(bob)).toMatchObject([
      { id, roles: ['editor', 'reader'], invited_by: 'owner', tenant: { name: 'acme' } },
    ])
    // A GET uses nothing up, whatever it asks for.
    await bob.get(url.slice(ISSUER.length))
    expect((await bob.get(ACCEPT)).status).toBe(405)
    expect(await it.rolesOf('bob')).toBeUndefined()

    const answer = await send(bob, 'POST', ACCEPT, { link })
    expect(answer.status).toBe(200)
    expect(membersOf(answer)).toMatchObject({
      tenant: { name: 'acme' },
      roles: ['editor', 'reader'],
    })
    expect(await it.rolesOf('bob')).toEqual(['editor', 'reader'])
    expect(await accept(bob, { link })).toBe('400 invitation_void')
    expect(await ownInvitations(bob)).toEqual([])
    expect(await openIds()).toEqual([])
    const tenant = (await it.authority.tenants.list()).find(({ name }) => name === 'acme')
    expect(await events('invitation_created', 'invitation_accepted')).toEqual([
      `invitation_created ok ${tenant?.id}`,
      `invitation_accepted ok ${tenant?.id}`,
    ])
    // The session can enter the tenant now.
    const moved = await send(bob, 'POST', '/auth/refresh', { tenant: 'acme' })
    expect(moved.status).toBe(200)
  })

  test('is accepted by its id, its link, its code, or its link and its code', async () => {
    const uses: readonly ((sent: Sent) => object)[] = [
      ({ id }) => ({ id }),
      ({ link }) => ({ link }),
      ({ code }) => ({ code: code.toLowerCase().replace('-', ' ') }),
      ({ link, code }) => ({ link, code }),
      ({ id, link }) => ({ id, link }),
      ({ id, code }) => ({ id, code }),
    ]
    for (const [index, use] of uses.entries()) {
      const name = `user-${index}`
      const browser = await it.join(name)
      const sent = await invite(`${name}@example.com`)
      expect(await accept(browser, use(sent))).toBe('200')
      expect(await it.rolesOf(name)).toEqual(['editor'])
    }
  })

  test('is for the account with the verified address, and for no other', async () => {
    const { id, link, code } = await invite('bob@example.com')
    const [eve, mallory, nobody] = [
      await it.join('eve'),
      await it.join('mallory', { email: 'none' }),
      await it.join('bob', { email: 'unverified' }),
    ]
    for (const body of [{ link }, { link, code }, { link, code: 'BBBB-BBBB' }]) {
      const answer = await send(eve, 'POST', ACCEPT, body)
      expect(await outcome(answer)).toBe('403 invitation_for_another')
      expect(answer.text).not.toContain('bob')
    }
    // Without the link, an invitation of somebody else looks like none.
    expect(await accept(eve, { id })).toBe('400 invitation_void')
    expect(await accept(eve, { id, code })).toBe('400 invitation_void')
    expect(await accept(eve, { code })).toBe('400 invitation_void')
    expect(await outcome(send(eve, 'DELETE', `/auth/invitations/${id}`))).toBe('404 not_found')
    expect(await ownInvitations(eve)).toEqual([])
    for (const browser of [mallory, nobody]) {
      for (const body of [{ link }, { link, code }, { id }, { code }]) {
        expect(await accept(browser, body)).toBe('403 email_unverified')
      }
      expect(await ownInvitations(browser)).toEqual([])
    }
    expect(await accept(eve, {})).toBe('400 fields_invalid')
    // All of this cost the invitation nothing.
    await it.authority.accounts.setEmail(
      'bob',
      { address: 'bob@example.com', verified: true },
      'test',
    )
    expect(await accept(nobody, { code })).toBe('200')
  })

  test('needs a session and, with a cookie, the CSRF token', async () => {
    const bob = await it.join('bob')
    const { link, id } = await invite('bob@example.com')
    expect((await it.post(ACCEPT, { link })).status).toBe(401)
    const without = { withoutToken: true }
    expect(await outcome(send(bob, 'POST', ACCEPT, { link }, without))).toMatch(/^403/)
    const path = `/auth/invitations/${id}`
    expect(await outcome(send(bob, 'DELETE', path, undefined, without))).toMatch(/^403/)
    expect(await accept(bob, { link })).toBe('200')
  })

  test('works for seven days', async () => {
    const bob = await it.join('bob')
    const first = await invite('bob@example.com')
    it.clock.advanceMs(7 * DAY_MS)
    await bob.login({ username: 'bob', password: 'correct horse battery' })
    expect(await accept(bob, { link: first.link })).toBe('400 invitation_void')
    expect(await ownInvitations(bob)).toEqual([])
    // The administrator still sees it, and sends it again.
    expect(await openIds()).toEqual([first.id])
    await owner.login({ username: 'owner', password: 'correct horse battery' })
    const path = `${INVITATIONS}/${first.id}/resend`
    expect(await outcome(send(owner, 'POST', path))).toBe('200')
    const again = await it.nextMail()
    it.clock.advanceMs(7 * DAY_MS - 1)
    await bob.login({ username: 'bob', password: 'correct horse battery' })
    expect(await accept(bob, { link: again.link })).toBe('200')
  })

  test('that is sent again voids the older link and code', async () => {
    const bob = await it.join('bob')
    const first = await invite('bob@example.com')
    expect(await outcome(send(owner, 'POST', `${INVITATIONS}/${first.id}/resend`))).toBe('200')
    const again = await it.nextMail()
    expect(again.link.split('.')[0]).toBe(first.id)
    expect(again.link).not.toBe(first.link)
    expect(await accept(bob, { link: first.link })).toBe('400 invitation_void')
    expect(await accept(bob, { code: first.code })).toBe('400 code_wrong')
    expect(await accept(bob, { code: again.code })).toBe('200')
    expect(await outcome(send(owner, 'POST', `${INVITATIONS}/${first.id}/resend`))).toBe(
      '404 not_found',
    )
  })

  test('replaces the older one to the same address', async () => {
    const bob = await it.join('bob')
    const first = await invite('bob@example.com', ['editor'])
    const second = await invite('BOB@example.com', ['reader'])
    expect(await openIds()).toEqual([second.id])
    expect(await accept(bob, { link: first.link })).toBe('400 invitation_void')
    expect(await accept(bob, { link: second.link })).toBe('200')
    expect(await it.rolesOf('bob')).toEqual(['reader'])
  })

  test('takes five wrong codes, and the link still works', async () => {
    const bob = await it.join('bob')
    const { code, link } = await invite('bob@example.com')
    for (let i = 0; i < 5; i += 1) {
      expect(await accept(bob, { code: 'BBBB-BBBB' })).toBe('400 code_wrong')
    }
    expect(await accept(bob, { code })).toBe('400 invitation_void')
    expect(await events('invitation_accepted')).toHaveLength(5)
    expect(await accept(bob, { link })).toBe('200')
  })

  test('is withdrawn by the tenant, or declined by its person', async () => {
    const bob = await it.join('bob')
    const first = await invite('bob@example.com')
    const path = `${INVITATIONS}/${first.id}`
    expect(await outcome(send(owner, 'DELETE', path))).toBe('204')
    expect(await outcome(send(owner, 'DELETE', path))).toBe('404 not_found')
    expect(await accept(bob, { link: first.link })).toBe('400 invitation_void')
    const second = await invite('bob@example.com')
    const own = `/auth/invitations/${second.id}`
    expect(await outcome(send(bob, 'DELETE', own))).toBe('204')
    expect(await outcome(send(bob, 'DELETE', own))).toBe('404 not_found')
    expect(await accept(bob, { link: second.link })).toBe('400 invitation_void')
    expect(await openIds()).toEqual([])
  })

  test('adds to the roles of a member, and takes none away', async () => {
    const bob = await it.join('bob', { tenants: { acme: ['manager'] } })
    const { link } = await invite('bob@example.com', ['editor'])
    expect(await accept(bob, { link })).toBe('200')
    expect(await it.rolesOf('bob')).toEqual(['editor', 'manager'])
  })

  test('is void if the inviter was removed, lost a role, or was disabled meanwhile', async () => {
    const { tenants, accounts } = it.authority
    const changes: readonly ((name: string) => Promise<unknown>)[] = [
      (username) => tenants.removeMember({ username, tenant: 'acme' }, 'test'),
      (username) => tenants.setMember({ username, tenant: 'acme', roles: ['reader'] }, 'test'),
      (username) => accounts.disable(username, 'test'),
      (username) => accounts.delete(username, 'test'),
    ]
    for (const [index, change] of changes.entries()) {
      const inviter = await it.join(`inviter-${index}`, { tenants: { acme: ['owner'] } })
      const friend = await it.join(`friend-${index}`)
      const email = `friend-${index}@example.com`
      const invited = send(inviter, 'POST', INVITATIONS, { email, roles: ['owner'] })
      expect(await outcome(invited)).toBe('201')
      const { link } = await it.nextMail()
      await change(`inviter-${index}`)
      expect(await accept(friend, { link })).toBe('400 invitation_void')
      expect(await it.rolesOf(`friend-${index}`)).toBeUndefined()
    }
  })

  test('of a disabled tenant is refused', async () => {
    const bob = await it.join('bob')
    const { link } = await invite('bob@example.com')
    await it.authority.tenants.disable('acme', 'test')
    expect(await accept(bob, { link })).toBe('409 tenant_disabled')
    expect(await ownInvitations(bob)).toEqual([])
  })

  test('that would give an account too many roles is refused', async () => {
    const many = Array.from({ length: 64 }, (_, index) => `role-${index}`)
    const bob = await it.join('bob', { tenants: { acme: many } })
    const { link } = await invite('bob@example.com')
    expect(await accept(bob, { link })).toBe('400 roles_invalid')
  })

  test('is deleted with the account of its address', async () => {
    await it.join('bob')
    await invite('bob@example.com')
    await it.authority.accounts.delete('bob', 'test')
    expect(await openIds()).toEqual([])
  })
})

describe('the answer to an invitation', () => {
  test('is the same for known, unknown and unverified addresses, and for members', async () => {
    await it.join('known')
    await it.join('unverified', { email: 'unverified' })
    await it.join('member', { tenants: { acme: ['reader'] } })
    const seen = new Set<string>()
    for (const name of ['known', 'unverified', 'member', 'nobody']) {
      const email = `${name}@example.com`
      const answer = await send(owner, 'POST', INVITATIONS, { email, roles: ['reader'] })
      const mail = await it.nextMail()
      expect(mail.kind).toBe('invitation')
      const { id: _, email: __, ...members } = membersOf(answer)
      const headers = [...answer.headers.keys()].toSorted()
      seen.add(JSON.stringify([answer.status, members, headers, mail.link.length]))
    }
    expect(seen.size).toBe(1)
  })
})

describe('limits', () => {
  test('count by recipient, also for unknown addresses, and by the person who accepts', async () => {
    await using limited = await openTenants({ throttle: 'recipient=3/1h' })
    const admin = await limited.join('owner', { tenants: { acme: ['owner'] } })
    const bob = await limited.join('bob')
    for (const name of ['bob', 'nobody']) {
      const results = []
      for (let i = 0; i < 4; i += 1) {
        const body = { email: `${name}@example.com`, roles: [] }
        results.push(await outcome(send(admin, 'POST', INVITATIONS, body)))
      }
      expect(results).toEqual(['201', '201', '201', '429 throttled'])
    }
    // Inviting somebody does not keep them from asking for mails.
    const asked = await limited.post('/auth/password/forgot', { email: 'bob@example.com' })
    expect(asked.status).toBe(202)
    const tries = []
    for (let i = 0; i < 21; i += 1) tries.push(await accept(bob, { code: 'BBBB-BBBB' }))
    expect(tries.filter((each) => each === '400 code_wrong')).toHaveLength(5)
    expect(tries.at(-1)).toBe('429 throttled')
  })

  test('count by inviter', async () => {
    await using limited = await openTenants({ throttle: 'recipient=999/1h' })
    const admin = await limited.join('owner', { tenants: { acme: ['owner'] } })
    const results = new Map<string, number>()
    for (let i = 0; i < 102; i += 1) {
      const body = { email: `person-${i}@example.com` }
      const each = await outcome(send(admin, 'POST', INVITATIONS, body))
      results.set(each, (results.get(each) ?? 0) + 1)
    }
    expect([...results]).toEqual([
      ['201', 100],
      ['429 throttled', 2],
    ])
  })
})

describe('races', () => {
  test('of 50 who accept at once, one is a new member', async () => {
    const bob = await it.join('bob')
    const { link, code, id } = await invite('bob@example.com')
    const bodies = [{ link }, { code }, { id }, { link, code }]
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => accept(bob, bodies[index % 4] ?? {})),
    )
    expect(answers.filter((each) => each === '200')).toHaveLength(1)
    expect(new Set(answers)).toEqual(new Set(['200', '400 invitation_void']))
    expect(await events('member_added', 'invitation_accepted')).toHaveLength(3)
  })
})

describe('the rule', () => {
  const NOW = 1_000
  const bytes = (value: number): Uint8Array => new Uint8Array(32).fill(value)
  const invitation = (more: Partial<Invitation>): Invitation => ({
    id: 'id',
    tenantId: 'ten_1',
    tenantName: 'acme',
    email: { address: 'bob@example.com', key: 'bob@example.com' },
    roles: [],
    inviterId: undefined,
    linkHash: bytes(1),
    codeHash: bytes(2),
    mailings: 1,
    attempts: 0,
    createdAt: 0,
    expiresAt: 2_000,
    state: 'open',
    ...more,
  })

  test('accepts nothing for another address, and nothing that is closed or over', () => {
    const hashes = fc.option(fc.array(fc.integer({ min: 0, max: 3 }).map(bytes)), {
      nil: undefined,
    })
    fc.assert(
      fc.property(
        hashes,
        hashes,
        fc.boolean(),
        fc.constantFrom('open', 'accepted', 'withdrawn'),
        fc.integer({ min: 999, max: 1_001 }),
        (linkHashes, codeHashes, isOwner, state, expiresAt) => {
          const key = isOwner ? 'bob@example.com' : 'eve@example.com'
          const presented = { id: 'id', linkHashes, codeHashes }
          const decided = decideInvitation(invitation({ state, expiresAt }), presented, key, NOW)
          if (decided !== undefined) return
          expect([isOwner, state, expiresAt]).toEqual([true, 'open', 1_001])
        },
      ),
    )
    expect(
      decideInvitation(
        invitation({}),
        { id: 'id', linkHashes: undefined, codeHashes: undefined },
        'bob@example.com',
        NOW,
      ),
    ).toBeUndefined()
  })
})

test('an invitation is void once its inviter could no longer give its roles', async () => {
  const { accounts, roles } = it.authority
  const staff = await it.join('staff', { roles: ['staff'] })
  const bob = await it.join('bob')
  const carol = await it.join('carol')
  const inviteAs = async (email: string): Promise<string> => {
    const body = { email, roles: ['reader'] }
    expect((await send(staff, 'POST', INVITATIONS, body)).status).toBe(201)
    return (await it.nextMail()).link
  }
  const [first, second] = [await inviteAs('bob@example.com'), await inviteAs('carol@example.com')]
  await roles.define({ name: 'staff', permissions: ['notes.read'] }, 'test')
  expect(await accept(bob, { link: first })).toBe('400 invitation_void')
  await roles.define({ name: 'staff', permissions: ['notes.read', 'tenant.members'] }, 'test')
  expect(await accept(bob, { link: first })).toBe('200')
  await accounts.removeRole('staff', 'staff', 'test')
  expect(await accept(carol, { link: second })).toBe('400 invitation_void')
})
