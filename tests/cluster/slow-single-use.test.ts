import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createClientManager } from '../../packages/server/src/accounts/clients.ts'
import { createSystemRandom } from '../../packages/server/src/base/random.ts'
import { openPostgresStore } from '../../packages/server/src/store/postgres/store.ts'
import {
  createAuthenticator,
  type CreationOptions,
  type RequestOptions,
} from '../../packages/server/test/support/authenticator.ts'
import { totpAt } from '../../packages/server/test/support/factors.ts'
import { membersOf } from '../../packages/server/test/support/browser.ts'
import type { HttpAnswer, HttpClient } from '../../packages/server/test/support/http-client.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import {
  openSmtpServer,
  type SmtpTestServer,
} from '../../packages/server/test/support/smtp-server.ts'
import { describeWith } from '../support/requirements.ts'
import { startCluster, type Cluster } from './cluster.ts'
import {
  bodyOf,
  mailTo,
  nextCode,
  openBrowser,
  PASSWORD,
  postAs,
  signUp,
  signUpWithApp,
  ticketOf,
} from './people.ts'

const AT_ONCE = 50
const ROUNDS = sized(1, 10)

/** Sends the same request 50 times at once, or 50 that differ. Nginx spreads them over the nodes. */
function fiftyAtOnce<T>(send: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, n) => send(n)))
}

/** Asserts that one of the answers is a success, and that all others are refusals. */
function expectOneWinner(answers: readonly { readonly status: number; readonly text: string }[]) {
  const won = answers.filter(({ status }) => status < 300)
  const texts = answers.map(({ status, text }) => `${status} ${text}`)
  expect(won, [...new Set(texts)].join('\n')).toHaveLength(1)
  // A queue that is full answers 503.
  const others = new Set(answers.map(({ status }) => status).filter((status) => status >= 300))
  expect([...others].filter((status) => status >= 500 && status !== 503)).toEqual([])
  return won[0]!
}

describeWith('postgres', 'over three nodes, fifty at once', () => {
  let it: Cluster
  let http: HttpClient
  let smtp: SmtpTestServer
  beforeAll(async () => {
    smtp = await openSmtpServer()
    it = await startCluster({
      env: {
        COUNTERSIGN_SIGN_UP: 'true',
        COUNTERSIGN_MAIL_LOGIN: 'true',
        COUNTERSIGN_REMEMBER_DEVICE: '7d',
        COUNTERSIGN_SMTP_URL: smtp.url,
        COUNTERSIGN_MAIL_FROM: 'no-reply@auth.example.com',
      },
    })
    http = it.client()
  })
  afterAll(async () => {
    await it?.[Symbol.asyncDispose]()
    await smtp?.[Symbol.asyncDispose]()
  })

  const complete = (body: object): Promise<HttpAnswer> =>
    http.post('/api/token/second-factor/', body)

  describe.each(Array.from({ length: ROUNDS }, (_, n) => n + 1))('round %i', () => {
    test('one ticket opens one session', async () => {
      const person = await signUpWithApp(it, http)
      const ticket = await ticketOf(http, person)
      const answers = await fiftyAtOnce((n) =>
        complete({ ticket, method: 'recovery_code', code: person.recoveryCodes[n % 10] }),
      )
      expectOneWinner(answers)
      // The session that set up the app, and the new one.
      const rows = await it.query('SELECT id FROM sessions WHERE account_id = $1', [person.id])
      expect(rows).toHaveLength(2)
      const left = 'SELECT 1 FROM recovery_codes WHERE account_id = $1'
      expect(await it.query(left, [person.id])).toHaveLength(9)
    })

    test('one code of an app counts for one of fifty logins', async () => {
      const person = await signUpWithApp(it, http)
      const tickets = await fiftyAtOnce(() => ticketOf(http, person))
      const code = nextCode(person)
      expectOneWinner(
        await fiftyAtOnce((n) => complete({ ticket: tickets[n], method: 'totp', code })),
      )
    })

    test('one recovery code counts for one of fifty logins', async () => {
      const person = await signUpWithApp(it, http)
      const tickets = await fiftyAtOnce(() => ticketOf(http, person))
      const [code] = person.recoveryCodes
      expectOneWinner(
        await fiftyAtOnce((n) => complete({ ticket: tickets[n], method: 'recovery_code', code })),
      )
    })

    test('one challenge of a passkey opens one session', async () => {
      const person = await signUp(it, http)
      const device = createAuthenticator({ rpId: 'localhost', origin: it.issuer, isSynced: true })
      const begun = bodyOf<{ challenge: string; options: CreationOptions }>(
        await postAs(http, person, '/auth/factors/passkeys/challenge'),
      )
      const response = device.register(begun.options)
      bodyOf(
        await postAs(http, person, '/auth/factors/passkeys', {
          challenge: begun.challenge,
          response,
        }),
      )
      const asked = bodyOf<{ challenge: string; options: RequestOptions }>(
        await http.post('/auth/passkey/challenge', {}),
      )
      const body = { challenge: asked.challenge, response: device.authenticate(asked.options) }
      expectOneWinner(await fiftyAtOnce(() => http.post('/api/token/passkey/', body)))
    })

    test('one challenge sets up one app', async () => {
      const person = await signUp(it, http)
      const { challenge, secret } = bodyOf<{ challenge: string; secret: string }>(
        await postAs(http, person, '/auth/factors/totp/challenge'),
      )
      const code = totpAt(secret, Date.now())
      const answers = await fiftyAtOnce(() =>
        postAs(http, person, '/auth/factors/totp', { challenge, code }),
      )
      expectOneWinner(answers)
    })

    test('one mailed code logs in once', async () => {
      const person = await signUp(it, http)
      const asked = await http.post('/auth/login/code/send', { email: person.email })
      const { ticket } = bodyOf<{ ticket: string }>(asked, 202)
      const { code } = await mailTo(smtp, person.email)
      const browsers = await fiftyAtOnce(async () => {
        const browser = openBrowser(it, http)
        await browser.get('/auth/csrf')
        return browser
      })
      expectOneWinner(
        await fiftyAtOnce((n) =>
          browsers[n]!.visit('/auth/login/code', { body: { ticket, code } }),
        ),
      )
    })

    test('one mail resets the password once', async () => {
      const person = await signUp(it, http)
      const asked = await http.post('/auth/password/forgot', { email: person.email })
      const { ticket } = bodyOf<{ ticket: string }>(asked, 202)
      const { link } = await mailTo(smtp, person.email)
      const answers = await fiftyAtOnce((n) =>
        http.post('/auth/password/reset', { ticket, link, password: `a new long password ${n}` }),
      )
      expectOneWinner(answers)
      const winner = answers.findIndex(({ status }) => status < 300)
      const password = `a new long password ${winner}`
      await http.login({ username: person.username, password })
    })

    test('one mail changes an address once', async () => {
      const person = await signUp(it, http)
      const email = `new-${person.email}`
      const asked = await postAs(http, person, '/auth/email/change', { email, password: PASSWORD })
      const { ticket } = bodyOf<{ ticket: string }>(asked, 202)
      const { code } = await mailTo(smtp, email)
      expectOneWinner(await fiftyAtOnce(() => http.post('/auth/email/verify', { ticket, code })))
    })

    test('one invitation makes one member', async () => {
      const person = await signUp(it, http)
      const tenant = `tenant-${person.username}`
      await it.run('tenants', 'create', tenant)
      await it.run('tenants', 'invite', tenant, person.email)
      const { code } = await mailTo(smtp, person.email)
      expectOneWinner(
        await fiftyAtOnce(() => postAs(http, person, '/auth/invitations/accept', { code })),
      )
    })

    test('one proof remembers one device', async () => {
      const person = await signUpWithApp(it, http)
      const browsers = await fiftyAtOnce(async () => {
        const browser = openBrowser(it, http)
        await browser.get('/auth/csrf')
        return browser
      })
      const body = { username: person.username, password: PASSWORD }
      const { ticket } = membersOf(await browsers[0]!.visit('/auth/login', { body }))
      const proof = { ticket, method: 'totp', code: nextCode(person), remember: true }
      expectOneWinner(
        await fiftyAtOnce((n) => browsers[n]!.visit('/auth/login/second-factor', { body: proof })),
      )
      const trusted = 'SELECT hash FROM trusted_devices WHERE account_id = $1'
      expect(await it.query(trusted, [person.id])).toHaveLength(1)
    })

    test('one name makes one account', async () => {
      const username = `name-${crypto.randomUUID()}`
      const answers = await fiftyAtOnce(() =>
        http.post('/auth/signup', { username, password: PASSWORD }),
      )
      expectOneWinner(answers)
      await http.login({ username, password: PASSWORD })
    })

    test('a service account gets at most two secrets', async () => {
      const name = `service-${crypto.randomUUID()}`
      await it.run('clients', 'create', name)
      const settings = { url: it.databaseUrl, connectionsMax: 5 }
      const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(settings)))
      try {
        const random = createSystemRandom()
        const added = await fiftyAtOnce((n) => {
          const store = stores[n % stores.length]!
          const clients = createClientManager({ store, clock: store.clock, random })
          return clients.addSecret(name, 'test')
        })
        expect(added.filter(({ ok }) => ok)).toHaveLength(1)
        const secrets =
          'SELECT 1 FROM client_secrets s JOIN clients c ON c.id = s.client_id WHERE c.name = $1'
        expect(await it.query(secrets, [name])).toHaveLength(2)
      } finally {
        await Promise.all(stores.map((store) => store.close()))
      }
    })
  })
})

describeWith('postgres', 'over three nodes, the throttle', () => {
  test('never lets more wrong passwords through than it allows, per address and per account', async () => {
    const allowed = 7
    const rates = `source=${allowed}/1h,account=20/1h,address=1000/1h`
    await using it = await startCluster({ env: { COUNTERSIGN_THROTTLE: rates } })
    for (const address of ['127.0.0.11', '127.0.0.12']) {
      const http = it.client(address)
      const answers = await fiftyAtOnce(() =>
        http.post('/api/token/', { username: ADMIN.username, password: 'a wrong password' }),
      )
      const statuses = answers.map(({ status }) => status)
      // A queue that is full answers 503, and gives the try back.
      expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(allowed)
      expect(statuses.filter((status) => status === 401).length).toBeGreaterThan(0)
      expect([401, 429, 503]).toEqual(expect.arrayContaining([...new Set(statuses)]))
    }
  })
})
