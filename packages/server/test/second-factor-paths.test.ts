import { afterAll, describe, expect, test } from 'vitest'

import type { AuthorityConfig } from '../src/authority.ts'
import { routes } from '../src/http/routes.ts'
import { PASSWORD } from './support/authority.ts'
import type { Authenticator } from './support/authenticator.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import type { Answer } from './support/contract.ts'
import { query } from './support/database.ts'
import {
  STEP_MS,
  newAuthenticator,
  openFactorPeople,
  outcomeOf,
  type FactorPeople,
  type PasskeyBody,
} from './support/factor-people.ts'
import { enrolApp } from './support/factors.ts'
import { PageBrowser } from './support/pages.ts'

// Every way in, with every state of an account. A new route that needs no session fails the first test until it has a row
// here.

/** What comes of a sign-in: the second factor of the new session, or why there is no session. */
type Outcome = 'none' | 'given' | 'device' | 'vouched' | 'factor' | 'mail' | 'enrol' | 'refused'

/** How a way begins. The outcome depends on it, and on the state of the account. */
type Kind = 'password' | 'browser' | 'mail' | 'reset' | 'passkey' | 'application' | 'vouched'

interface Way {
  /** The routes on which it ends. Empty for a call of the library. */
  readonly ends: readonly string[]
  readonly kind: Kind
  readonly run: (person: Person) => Promise<Answer | undefined>
}

interface Person {
  readonly it: FactorPeople
  readonly name: string
  readonly id: string
  readonly page: TestBrowser
  readonly authenticator: Authenticator
}

const EMAIL = (name: string): string => `${name}@example.com`
const NEW_PASSWORD = 'staple and no donkey'

/** Asks for a mail, and returns its link and code. Undefined if no mail comes, because the account is disabled. */
async function mailFor(
  { it, name, page }: Person,
  path: string,
): Promise<{ link: string; ticket: string; code: string } | undefined> {
  if (page.csrfToken === undefined) await page.get('/auth/csrf')
  const asked = await page.visit(path, { body: { email: EMAIL(name) } })
  const { ticket } = membersOf(asked) as { ticket: string }
  const account = await it.authority.accounts.find(name)
  if (account?.disabledAt !== undefined) return undefined
  const { link, code } = await it.mailOf(path.includes('forgot') ? 'reset_password' : 'login_code')
  return { link, ticket, code }
}

/** A pair of an answer for a page without JSON. */
async function formAnswer(
  person: Person,
  path: string,
  values: Record<string, string>,
): Promise<undefined> {
  const browser = new PageBrowser(person.it)
  for (const [name, value] of person.page.cookies) browser.jar.cookies.set(name, value)
  await browser.post(path, values)
  for (const [name, value] of browser.jar.cookies) person.page.cookies.set(name, value)
}

const WAYS: Readonly<Record<string, Way>> = {
  'the API': {
    ends: ['/api/token/'],
    kind: 'password',
    run: ({ it, name }) => it.logIn(name),
  },
  'a browser': {
    ends: ['/auth/login'],
    kind: 'browser',
    run: ({ page, name }) => page.login({ username: name, password: PASSWORD }),
  },
  'the sign-in page': {
    ends: ['/sign-in'],
    kind: 'browser',
    run: (person) =>
      formAnswer(person, '/sign-in', { username: person.name, current_password: PASSWORD }),
  },
  'the link of a mail': {
    ends: ['/auth/login/code'],
    kind: 'mail',
    run: async (person) => {
      const mail = await mailFor(person, '/auth/login/code/send')
      const body = { link: mail?.link ?? 'x' }
      return person.page.visit('/auth/login/code', { body })
    },
  },
  'the code of a mail': {
    ends: ['/auth/login/code'],
    kind: 'mail',
    run: async (person) => {
      const mail = await mailFor(person, '/auth/login/code/send')
      const body = { ticket: mail?.ticket ?? 'x', code: mail?.code ?? 'x' }
      return person.page.visit('/auth/login/code', { body })
    },
  },
  'the page of a mail': {
    ends: ['/auth/account/log-in'],
    kind: 'mail',
    run: async (person) => {
      const mail = await mailFor(person, '/auth/login/code/send')
      return formAnswer(person, '/auth/account/log-in', { link: mail?.link ?? 'x' })
    },
  },
  'a reset of the password': {
    ends: ['/auth/password/reset', '/api/token/'],
    kind: 'reset',
    run: async (person) => {
      const mail = await mailFor(person, '/auth/password/forgot')
      const body = { link: mail?.link ?? 'x', password: NEW_PASSWORD }
      const before = sessionsOf(person).length
      await person.page.visit('/auth/password/reset', { body })
      expect(sessionsOf(person)).toHaveLength(before)
      return person.page.login({ username: person.name, password: NEW_PASSWORD })
    },
  },
  'a reset on the page': {
    ends: ['/auth/account/reset', '/auth/login'],
    kind: 'reset',
    run: async (person) => {
      const mail = await mailFor(person, '/auth/password/forgot')
      const before = sessionsOf(person).length
      const values = { link: mail?.link ?? 'x', password: NEW_PASSWORD }
      await formAnswer(person, '/auth/account/reset', values)
      expect(sessionsOf(person)).toHaveLength(before)
      return person.page.login({ username: person.name, password: NEW_PASSWORD })
    },
  },
  'a passkey at the API': {
    ends: ['/api/token/passkey/'],
    kind: 'passkey',
    run: async ({ it, authenticator }) =>
      it.send('/api/token/passkey/', await passkeyBody(it, authenticator)),
  },
  'a passkey in a browser': {
    ends: ['/auth/login/passkey'],
    kind: 'passkey',
    run: async ({ it, page, authenticator }) => {
      await page.get('/auth/csrf')
      const body = await passkeyBody(it, authenticator)
      return page.visit('/auth/login/passkey', { body })
    },
  },
  'the second step without its factor': {
    ends: ['/api/token/second-factor/', '/auth/login/second-factor'],
    kind: 'password',
    run: async ({ it, name, page }) => {
      const first = await it.logIn(name)
      const { ticket } = membersOf(first) as { ticket?: string }
      if (ticket === undefined) return first
      await page.get('/auth/csrf')
      const bodies = [
        { method: 'totp', code: '' },
        { method: 'totp', code: '000000', challenge: ticket },
        { method: 'recovery_code', code: 'BBBB-BBBB-BBBB-BBBB' },
        { method: 'passkey', challenge: ticket.split('.')[0], response: {} },
        { method: 'mail', challenge: ticket.split('.')[0], code: 'BBBB-BBBB' },
        { method: 'totp', enrol: true, challenge: ticket.split('.')[0], code: '000000' },
        { method: 'password', password: PASSWORD },
        { method: 'none' },
        {},
      ]
      for (const body of bodies) {
        const api = await it.complete(ticket, body)
        const browser = await page.visit('/auth/login/second-factor', { body: { ticket, ...body } })
        expect([api.status, browser.status].every((status) => status >= 400)).toBe(true)
      }
      return first
    },
  },
  'a passkey on the page': {
    ends: ['/sign-in/passkey'],
    kind: 'passkey',
    run: async (person) => {
      const { challenge, response } = await passkeyBody(person.it, person.authenticator)
      const values = { challenge, response: JSON.stringify(response) }
      return formAnswer(person, '/sign-in/passkey', values)
    },
  },
  'the page of the second step without its factor': {
    ends: ['/sign-in/second-factor'],
    kind: 'browser',
    run: async (person) => {
      const { name, page } = person
      await formAnswer(person, '/sign-in', { username: name, current_password: PASSWORD })
      if (page.cookies.has('cs_access')) return undefined
      const browser = new PageBrowser(person.it)
      for (const [cookie, value] of page.cookies) browser.jar.cookies.set(cookie, value)
      const second = await browser.open('/sign-in/second-factor')
      const hidden = second.forms[0]?.fields ?? {}
      for (const values of [
        {},
        { method: 'totp', totp: '000000', code: '000000' },
        {
          method: 'recovery_code',
          recovery_code: 'BBBB-BBBB-BBBB-BBBB',
          code: 'BBBB-BBBB-BBBB-BBBB',
        },
        { method: 'passkey', response: '{}', challenge: 'x' },
        { method: 'mail', code: 'BBBB-BBBB', challenge: 'x' },
        { method: 'totp', totp: '000000', challenge: 'x', enrol: 'true' },
        { method: 'password', current_password: PASSWORD },
      ]) {
        await browser.post('/sign-in/second-factor', { ...hidden, ...values })
      }
      for (const [cookie, value] of browser.jar.cookies) page.cookies.set(cookie, value)
    },
  },
  'the library without mfa': {
    ends: [],
    kind: 'application',
    run: ({ it, id }) => created(it, id, ['fed']),
  },
  'the library with mfa': {
    ends: [],
    kind: 'vouched',
    run: ({ it, id }) => created(it, id, ['fed', 'mfa']),
  },
}

/** Routes without a session that open none, whatever is sent, and why. */
const OPENS_NONE: Readonly<Record<string, string>> = {
  '/api/token/refresh/': 'continues a session: see below',
  '/api/token/verify/': 'answers a question',
  '/api/token/blacklist/': 'ends a session',
  '/auth/refresh': 'continues a session: see below',
  '/auth/logout': 'ends a session',
  '/auth/signup': 'makes an account: see below',
  '/auth/signup/finish': 'makes an account: see below',
  '/auth/second-factor/challenge': 'gives a challenge',
  '/auth/second-factor/enrol': 'gives a challenge',
  '/auth/passkey/challenge': 'gives a challenge',
  '/auth/password/forgot': 'sends a mail',
  '/auth/email/verify': 'verifies an address',
  '/auth/login/code/send': 'sends a mail',
  '/auth/account/forgot': 'sends a mail',
  '/auth/account/sign-up/start': 'sends a mail',
  '/auth/account/sign-up/new': 'makes an account',
  '/auth/account/sign-up': 'makes an account',
  '/auth/account/verify': 'verifies an address',
  '/auth/account/log-in/start': 'sends a mail',
  '/auth/account/invite': 'needs a session',
  '/oauth2/token': 'is for service accounts and applications',
  '/oauth2/authorize': 'needs a session',
  '/oauth2/par': 'is for applications',
  '/oauth2/device_authorization': 'is for applications',
  '/oauth2/logout': 'ends a session',
  '/oauth2/userinfo': 'answers a question',
  '/oauth2/revoke': 'ends a session',
  '/oauth2/introspect': 'answers a question',
  '/revocations': 'is for guards',
}

/** Routes that open sessions for people whom another issuer has logged in, and the tests of their second factor. */
const OF_OTHER_ISSUERS = {
  '/auth/upstream/{name}/callback': 'upstream-log-in.test.ts',
  '/auth/upstream/exchange': 'upstream-codes.test.ts',
} as const

/** The ways by which a request already proves a session. */
const NEEDS_SESSION: ReadonlySet<string> = new Set(['session', 'page_cookies'])

test('every route without a session has a row', () => {
  const open = routes
    .filter(({ method, authentication }) => method !== 'GET' && !NEEDS_SESSION.has(authentication))
    .map(({ path }) => path)
  const rows = new Set([
    ...Object.keys(OPENS_NONE),
    ...Object.keys(OF_OTHER_ISSUERS),
    ...Object.values(WAYS).flatMap((w) => w.ends),
  ])
  expect([...rows].toSorted()).toEqual([...new Set(open)].toSorted())
})

interface State {
  readonly config: AuthorityConfig
  readonly prepare?: (person: Person) => Promise<unknown>
  readonly expected: Readonly<Record<Kind, Outcome>>
}

const all = (outcome: Outcome): Record<Kind, Outcome> => ({
  password: outcome,
  browser: outcome,
  mail: outcome,
  reset: outcome,
  application: outcome,
  passkey: 'refused',
  vouched: 'vouched',
})

const withApp = async ({ it, name }: Person): Promise<string> => {
  const { secret } = await enrolApp(it, await it.pair(name))
  it.clock.advanceMs(STEP_MS)
  return secret
}

const withPasskey = async ({ it, name, authenticator }: Person): Promise<unknown> =>
  it.addPasskey((await it.pair(name)).access, authenticator)

const OPTIONAL: AuthorityConfig = { rememberDevice: '30d' }
const GRACE: AuthorityConfig = { secondFactor: 'required', secondFactorGrace: '7d' }
const NO_GRACE: AuthorityConfig = { secondFactor: 'required', secondFactorGrace: 'off' }
const MAILED: AuthorityConfig = { ...NO_GRACE, secondFactorMail: true }
const OF_ROLE: AuthorityConfig = { secondFactorRoles: ['admin'], secondFactorGrace: 'off' }

const STATES: Readonly<Record<string, State>> = {
  'optional, no factor': { config: OPTIONAL, expected: all('none') },
  'optional, an app': { config: OPTIONAL, prepare: withApp, expected: all('factor') },
  'optional, a passkey': {
    config: OPTIONAL,
    prepare: withPasskey,
    expected: { ...all('factor'), passkey: 'given' },
  },
  'optional, an app, in a remembered browser': {
    config: OPTIONAL,
    prepare: async (person) => {
      const { it, name, page } = person
      const secret = await withApp(person)
      const asked = await page.login({ username: name, password: PASSWORD })
      const { ticket } = membersOf(asked) as { ticket: string }
      const body = { ticket, method: 'totp', code: it.code({ secret }), remember: true }
      await page.visit('/auth/login/second-factor', { body })
      await page.visit('/auth/logout')
      page.csrfToken = undefined
      expect(page.cookies.has('cs_trusted')).toBe(true)
    },
    expected: { ...all('factor'), browser: 'device' },
  },
  'required, no factor, in grace': { config: GRACE, expected: all('none') },
  'required, no factor, past grace': {
    config: GRACE,
    prepare: async ({ it, name }) => {
      await it.pair(name)
      it.clock.advanceMs(7 * 86_400_000)
    },
    expected: all('enrol'),
  },
  'required, no factor, without grace': { config: NO_GRACE, expected: all('enrol') },
  'required, a passkey': {
    config: GRACE,
    prepare: withPasskey,
    expected: { ...all('factor'), passkey: 'given' },
  },
  'required, mailed codes count': { config: MAILED, expected: { ...all('mail'), mail: 'enrol' } },
  'required of a role that the account has': {
    config: OF_ROLE,
    prepare: ({ it, name }) => it.authority.accounts.addRole(name, 'admin', 'test'),
    expected: all('enrol'),
  },
  'required of another role': { config: OF_ROLE, expected: all('none') },
  'disabled, no factor': {
    config: OPTIONAL,
    prepare: ({ it, name }) => it.authority.accounts.disable(name, 'test'),
    expected: { ...all('refused'), vouched: 'refused' },
  },
  'disabled, an app and a passkey': {
    config: OPTIONAL,
    prepare: async (person) => {
      await withPasskey(person)
      await person.it.authority.accounts.disable(person.name, 'test')
    },
    expected: { ...all('refused'), vouched: 'refused' },
  },
}

const opened = new Map<AuthorityConfig, FactorPeople>()
afterAll(async () => {
  for (const it of opened.values()) await it[Symbol.asyncDispose]()
})

async function authorityWith(config: AuthorityConfig): Promise<FactorPeople> {
  const it = opened.get(config) ?? (await openFactorPeople(config))
  opened.set(config, it)
  return it
}

let people = 0
/** Creates somebody in a state. */
async function personIn({ config, prepare }: State): Promise<Person> {
  const it = await authorityWith(config)
  people += 1
  const name = `person-${people}`
  const person = {
    it,
    name,
    id: await it.create(name),
    page: new TestBrowser(it),
    authenticator: newAuthenticator(),
  }
  await prepare?.(person)
  return person
}

function sessionsOf({ it, id }: Person): readonly Record<string, unknown>[] {
  return query(it.dataDir, 'SELECT id, second_factor FROM sessions WHERE account_id = ?', id)
}

/** The answer to a passkey, or of one that the server does not know. */
async function passkeyBody(it: FactorPeople, authenticator: Authenticator): Promise<PasskeyBody> {
  const asked = await it.send('/auth/passkey/challenge', {})
  if (authenticator.passkeys.length === 0) {
    authenticator.register({ challenge: 'AAAA', user: { id: 'AAAA' } })
  }
  return it.answerPasskey(asked, authenticator)
}

/** The result of the library as if it were an answer. */
async function created(it: FactorPeople, id: string, amr: readonly string[]): Promise<Answer> {
  const result = await it.authority.sessions.create(id, { amr })
  const shown = result.ok ? {} : { code: result.code, ...result.pending }
  return { status: result.ok ? 200 : 401, headers: new Headers(), text: JSON.stringify(shown) }
}

describe.each(Object.entries(STATES))('%s', (_, state) => {
  test.each(Object.entries(WAYS))('%s', async (__, way) => {
    const person = await personIn(state)
    const before = new Set(sessionsOf(person).map(({ id }) => id))
    const answer = await way.run(person)
    const expected = state.expected[way.kind]
    const after = sessionsOf(person).filter(({ id }) => !before.has(id))
    if (['none', 'given', 'device', 'vouched'].includes(expected)) {
      expect(after).toMatchObject([{ second_factor: expected }])
      return
    }
    expect(after).toEqual([])
    expect([...person.page.cookies.keys()].filter((name) => /access|refresh/.test(name))).toEqual(
      [],
    )
    if (answer === undefined) return // A page.
    expect(answer.status).toBe(way.kind === 'mail' && expected === 'refused' ? 400 : 401)
    expect(/"eyJ/.test(answer.text)).toBe(false)
    expect(refusalOf(answer)).toBe(expected)
  })
})

function refusalOf(answer: Answer): Outcome {
  const { code, methods = [] } = membersOf(answer) as { code?: string; methods?: string[] }
  if (code === 'second_factor_enrolment_required') return 'enrol'
  if (code !== 'second_factor_required') return 'refused'
  return methods.includes('mail') ? 'mail' : 'factor'
}

describe('a new account', () => {
  test('gets no session from a sign-up, verified or not, and then what the policy says', async () => {
    for (const [config, expected] of [
      [OPTIONAL, '200'],
      [GRACE, '200'],
      [NO_GRACE, '401 second_factor_enrolment_required'],
      [MAILED, '401 second_factor_required'],
    ] as const) {
      await using it = await openFactorPeople({ ...config, signUp: true, signUpVerified: true })
      const page = new TestBrowser(it)
      await page.get('/auth/csrf')
      const body = { email: 'carol@example.com', password: PASSWORD }
      expect((await page.visit('/auth/signup', { body })).status).toBe(202)
      const { link } = await it.mailOf('sign_up')
      const finished = await page.visit('/auth/signup/finish', { body: { link } })
      expect(finished.status).toBe(201)
      expect(query(it.dataDir, 'SELECT id FROM sessions')).toEqual([])
      const answer = await page.login({ username: 'carol@example.com', password: PASSWORD })
      expect(outcomeOf(answer)).toBe(expected)
    }
  })
})

describe('a session that lasts', () => {
  test('ends at its refresh once the policy requires what it lacks, at the API and in a browser', async () => {
    await using it = await openFactorPeople()
    for (const name of ['bob', 'carol']) await it.create(name)
    const app = await it.withApp('dave')
    const strong = await it.signIn(app)
    const { refresh } = await it.pair('bob')
    const page = new TestBrowser(it)
    await page.login({ username: 'carol', password: PASSWORD })
    await it.restart(NO_GRACE)
    expect((await it.send('/api/token/refresh/', { refresh })).status).toBe(401)
    expect((await page.visit('/auth/refresh')).status).toBe(401)
    // Nor does a second try help.
    expect((await it.send('/api/token/refresh/', { refresh })).status).toBe(401)
    expect((await page.visit('/auth/refresh')).status).toBe(401)
    const continued = await it.send('/api/token/refresh/', { refresh: strong.refresh })
    expect(continued.status).toBe(200)
  })

  test('ends at its refresh once a role requires it, also a role in its tenant', async () => {
    await using it = await openFactorPeople(OF_ROLE)
    for (const name of ['bob', 'carol']) await it.create(name)
    await it.authority.tenants.create('acme', 'test')
    await it.authority.roles.define({ name: 'admin', permissions: [] }, 'test')
    await it.authority.tenants.setMember({ username: 'carol', tenant: 'acme', roles: [] }, 'test')
    const bob = await it.pair('bob')
    const page = new TestBrowser(it)
    await page.login({ username: 'carol', password: PASSWORD, tenant: 'acme' })
    await it.authority.accounts.addRole('bob', 'admin', 'test')
    const member = { username: 'carol', tenant: 'acme', roles: ['admin'] }
    await it.authority.tenants.setMember(member, 'test')
    const { refresh } = bob
    expect((await it.send('/api/token/refresh/', { refresh })).status).toBe(401)
    expect((await page.visit('/auth/refresh')).status).toBe(401)
  })

  test('enters no tenant that requires a second factor without one, on any path', async () => {
    await using it = await openFactorPeople({
      secondFactorTenants: ['acme'],
      secondFactorGrace: 'off',
    })
    for (const tenant of ['other', 'acme']) await it.authority.tenants.create(tenant, 'test')
    const id = await it.create('bob')
    for (const tenant of ['other', 'acme']) {
      await it.authority.tenants.setMember({ username: 'bob', tenant, roles: [] }, 'test')
    }
    const page = new TestBrowser(it)
    await page.login({ username: 'bob', password: PASSWORD, tenant: 'other' })
    const moved = await page.visit('/auth/refresh', { body: { tenant: 'acme' } })
    expect(outcomeOf(moved)).toBe('401 insufficient_user_authentication')
    const forms = new PageBrowser(it)
    for (const [name, value] of page.cookies) forms.jar.cookies.set(name, value)
    const chosen = await forms.open('/auth/account/choose-tenant')
    const button = chosen.forms.flatMap(({ buttons }) => buttons).map(({ text }) => text)
    const acme = button.find((text) => text.includes('acme'))
    if (acme !== undefined) await forms.press(chosen, {}, { button: acme })
    const rows = query(
      it.dataDir,
      `SELECT 1 FROM sessions s JOIN tenants t ON t.id = s.tenant_id
       WHERE s.account_id = ? AND t.name = 'acme'`,
      id,
    )
    expect(rows).toEqual([])
    const named = await new TestBrowser(it).login({
      username: 'bob',
      password: PASSWORD,
      tenant: 'acme',
    })
    expect(outcomeOf(named)).toBe('401 second_factor_enrolment_required')
  })
})
