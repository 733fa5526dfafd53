import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ISSUER, PASSWORD } from './support/authority.ts'
import type {
  Authenticator,
  CreationOptions,
  ForgedAssertion,
  RequestOptions,
} from './support/authenticator.ts'
import { membersOf, TestBrowser } from './support/browser.ts'
import type { Answer } from './support/contract.ts'
import { query, queryOne } from './support/database.ts'
import {
  newAuthenticator,
  openFactorPeople,
  outcomeOf,
  type FactorPeople,
} from './support/factor-people.ts'
import { totpAt } from './support/factors.ts'

// The rows of docs/attack-catalogue.md on passkeys, through the HTTP API. Each rule of the verification itself is in
// passkey-registration, passkey-authentication and passkey-hostile.

let it: FactorPeople
/** Bob's passkey, and a fresh session of his. */
let passkey: Authenticator
let access: string
beforeEach(async () => {
  it = await openFactorPeople()
  await it.create('bob')
  access = (await it.pair('bob')).access
  passkey = await it.addPasskey(access)
  access = await newSession(passkey)
})
afterEach(() => it[Symbol.asyncDispose]())

const REFUSED = '401 passkey_refused'
const UNKNOWN = '401 passkey_unknown'

interface Asked {
  readonly challenge: string
  readonly options: RequestOptions
}

/** Logs in with a passkey alone, and returns the access token. */
async function newSession(authenticator: Authenticator): Promise<string> {
  const asked = await it.send('/auth/passkey/challenge', {})
  const done = await it.send('/api/token/passkey/', it.answerPasskey(asked, authenticator))
  expect(done.status).toBe(200)
  return String(membersOf(done)['access'])
}

/** Each ceremony in which a passkey is used: how it begins, and how it ends. */
const CEREMONIES: Readonly<
  Record<string, () => Promise<{ asked: Asked; finish: (body: object) => Promise<Answer> }>>
> = {
  'alone, at the API': async () => ({
    asked: read(await it.send('/auth/passkey/challenge', {})),
    finish: (body) => it.send('/api/token/passkey/', body),
  }),
  'alone, in a browser': async () => {
    const page = new TestBrowser(it)
    await page.get('/auth/csrf')
    const asked = read(await page.visit('/auth/passkey/challenge', { body: {} }))
    return { asked, finish: (body) => page.visit('/auth/login/passkey', { body }) }
  },
  'as second factor': async () => {
    const ticket = await it.ticket('bob')
    const begun = await it.send('/auth/second-factor/challenge', { ticket, method: 'passkey' })
    return {
      asked: read(begun),
      finish: (body) => it.complete(ticket, { method: 'passkey', ...body }),
    }
  },
  'for a step-up': async () => {
    const begun = await it.call(access, 'POST', '/auth/step-up/challenge', { method: 'passkey' })
    return {
      asked: read(begun),
      finish: (body) => it.call(access, 'POST', '/auth/step-up', { method: 'passkey', ...body }),
    }
  },
}

function read({ text }: Answer): Asked {
  return JSON.parse(text) as Asked
}

function sessionCount(): number {
  return query(it.dataDir, 'SELECT id FROM sessions').length
}

const FORGERIES: Readonly<Record<string, ForgedAssertion>> = {
  'of another origin': { origin: 'https://evil.example' },
  'of another port': { origin: 'http://localhost:9999' },
  'of another scheme': { origin: 'https://localhost:8000' },
  'of a subdomain': { origin: 'http://evil.localhost:8000' },
  'of a look-alike': { origin: `${ISSUER}.evil.example` },
  'for another RP ID': { rpId: 'evil.example' },
  'for a suffix of the RP ID': { rpId: 'host' },
  'for a subdomain as RP ID': { rpId: 'evil.localhost' },
  'without user verification': { isUserVerified: false },
  'without user presence': { isUserPresent: false },
  'that is backed up but not eligible': { isBackedUp: true, isBackupEligible: false },
  'that has become eligible for backup': { isBackupEligible: true },
  'with a challenge of its own': { challenge: Buffer.alloc(32, 7).toString('base64url') },
  'with an empty challenge': { challenge: '' },
  'from a frame of another site': { crossOrigin: true },
  'in a page of another site': { topOrigin: 'https://evil.example' },
  'with a counter that goes back': { signCount: 1 },
  'with a counter of zero': { signCount: 0 },
  'with a changed signature': { tamperSignature: true },
  'with an empty signature': { signature: '' },
  'of a registration': { type: 'webauthn.create' },
  'of an unknown credential': { id: Buffer.alloc(32, 9).toString('base64url') },
  'with more bytes': { trailing: Buffer.from('more') },
}

describe.each(Object.entries(CEREMONIES))('P19 a passkey %s', (name, begin) => {
  test('that is forged is refused, and its challenge is used up', async () => {
    // A second use, so that the counter can go back.
    access = await newSession(passkey)
    const before = sessionCount()
    for (const [what, forged] of Object.entries(FORGERIES)) {
      const { asked, finish } = await begin()
      const { challenge } = asked
      const response = passkey.authenticate(asked.options, forged)
      const refused = outcomeOf(await finish({ challenge, response }))
      const isUnknown = what === 'of an unknown credential' && name.startsWith('alone')
      expect([what, refused]).toEqual([what, isUnknown ? UNKNOWN : REFUSED])
      const honest = passkey.authenticate(asked.options)
      const again = await finish({ challenge, response: honest })
      expect([what, outcomeOf(again)]).toEqual([what, '400 challenge_void'])
    }
    expect(sessionCount()).toBe(before)
    const { asked, finish } = await begin()
    const response = passkey.authenticate(asked.options)
    const { challenge } = asked
    expect(outcomeOf(await finish({ challenge, response }))).toBe('200')
    // A replay, and the same answer to another challenge.
    expect((await finish({ challenge, response })).status).toBeGreaterThanOrEqual(400)
    const next = await begin()
    const replayed = await next.finish({ challenge: next.asked.challenge, response })
    expect(replayed.status).toBe(401)
  })

  test('that is not a credential at all is refused', async () => {
    const odd = [null, true, 0, '', 'x', [], {}, { id: 'x' }, { response: {} }, '{"id":1}', '[']
    for (const response of odd) {
      const { asked, finish } = await begin()
      const { status } = await finish({ challenge: asked.challenge, response })
      expect([response, [400, 401].includes(status)]).toEqual([response, true])
    }
  })

  test('fifty uses of one assertion at once have one success', async () => {
    const { asked, finish } = await begin()
    const body = { challenge: asked.challenge, response: passkey.authenticate(asked.options) }
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => finish(body)))
    expect(outcomes.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(queryOne(it.dataDir, 'SELECT sign_count FROM factors')['sign_count']).toBe(
      passkey.passkeys[0]!.signCount,
    )
  })

  test('of another account opens nothing of this one', async () => {
    await it.create('eve')
    const mine = await it.addPasskey((await it.pair('eve')).access)
    const { asked, finish } = await begin()
    const { challenge } = asked
    const open = { challenge: asked.options.challenge }
    const eve = queryOne(it.dataDir, `SELECT id FROM accounts WHERE username = 'eve'`)['id']
    const response = mine.authenticate(open, { userHandle: passkey.passkeys[0]!.userHandle })
    expect(outcomeOf(await finish({ challenge, response }))).toBe(REFUSED)
    // Her passkey under the id of his.
    const next = await begin()
    const forged = mine.authenticate(
      { challenge: next.asked.options.challenge },
      { id: passkey.passkeys[0]!.id, userHandle: passkey.passkeys[0]!.userHandle },
    )
    const stolen = await next.finish({ challenge: next.asked.challenge, response: forged })
    expect(outcomeOf(stolen)).toBe(REFUSED)
    const honest = await begin()
    const hers = mine.authenticate({ challenge: honest.asked.options.challenge })
    const answer = await honest.finish({ challenge: honest.asked.challenge, response: hers })
    if (name.startsWith('alone')) expect(answer.status).toBe(200)
    else expect(outcomeOf(answer)).toBe(REFUSED)
    const rows = query(it.dataDir, 'SELECT id FROM sessions WHERE account_id = ?', String(eve))
    expect(rows).toHaveLength(name.startsWith('alone') ? 2 : 1)
  })
})

/** A challenge of each purpose, from `bearer`: its id, and what answers it. */
async function everyChallenge(): Promise<
  Readonly<Record<string, { challenge: string; answers: object }>>
> {
  const creation = (asked: Answer): { challenge: string; answers: object } => {
    const { challenge, options } = JSON.parse(asked.text) as {
      challenge: string
      options: CreationOptions
    }
    return { challenge, answers: { response: newAuthenticator().register(options) } }
  }
  const totp = (asked: Answer): { challenge: string; answers: object } => {
    const { challenge, secret } = membersOf(asked) as { challenge: string; secret: string }
    return { challenge, answers: { code: totpAt(secret, it.clock.nowMs()) } }
  }
  const request = (asked: Answer): { challenge: string; answers: object } => {
    const { challenge, response } = it.answerPasskey(asked, passkey)
    return { challenge, answers: { response } }
  }
  const own = (path: string, body?: object): Promise<Answer> => it.call(access, 'POST', path, body)
  const ticketed = async (path: string, method: string): Promise<Answer> =>
    it.send(path, { ticket: await it.ticket('bob'), method })
  return {
    'an own app': totp(await own('/auth/factors/totp/challenge')),
    'an own passkey': creation(await own('/auth/factors/passkeys/challenge')),
    'a step-up': request(await own('/auth/step-up/challenge', { method: 'passkey' })),
    'a second factor': request(await ticketed('/auth/second-factor/challenge', 'passkey')),
    'an app at a login': totp(await ticketed('/auth/second-factor/enrol', 'totp')),
    'a passkey at a login': creation(await ticketed('/auth/second-factor/enrol', 'passkey')),
    'a passkey alone': request(await it.send('/auth/passkey/challenge', {})),
    'a ticket': { challenge: (await it.ticket('bob')).split('.')[0]!, answers: {} },
  }
}

/** The places that take a challenge. `own`: the purpose for which it works there. */
const ENDPOINTS: Readonly<
  Record<string, { own?: string; use: (body: object) => Promise<Answer> }>
> = {
  '/auth/factors/totp': {
    own: 'an own app',
    use: (body) => it.call(access, 'POST', '/auth/factors/totp', body),
  },
  '/auth/factors/passkeys': {
    own: 'an own passkey',
    use: (body) => it.call(access, 'POST', '/auth/factors/passkeys', body),
  },
  '/auth/step-up': {
    own: 'a step-up',
    use: (body) => it.call(access, 'POST', '/auth/step-up', { method: 'passkey', ...body }),
  },
  '/api/token/second-factor/': {
    use: async (body) => it.complete(await it.ticket('bob'), { method: 'passkey', ...body }),
  },
  '/api/token/second-factor/ with a mailed code': {
    use: async (body) =>
      it.complete(await it.ticket('bob'), { method: 'mail', code: 'x', ...body }),
  },
  '/api/token/second-factor/ to enrol an app': {
    use: async (body) =>
      it.complete(await it.ticket('bob'), { method: 'totp', enrol: true, ...body }),
  },
  '/api/token/second-factor/ to enrol a passkey': {
    use: async (body) =>
      it.complete(await it.ticket('bob'), { method: 'passkey', enrol: true, ...body }),
  },
  '/api/token/passkey/': {
    own: 'a passkey alone',
    use: (body) => it.send('/api/token/passkey/', body),
  },
}

describe('P19 a challenge', () => {
  test.each(Object.entries(ENDPOINTS))(
    'of another purpose or ticket is void at %s',
    async (_, at) => {
      const before = sessionCount()
      const factors = query(it.dataDir, 'SELECT id, public_key FROM factors')
      for (const [purpose, { challenge, answers }] of Object.entries(await everyChallenge())) {
        if (purpose === at.own) continue
        const any = { response: {}, code: '000000', ...answers, challenge }
        const answer = await at.use(any)
        expect([purpose, outcomeOf(answer)]).toEqual([purpose, '400 challenge_void'])
      }
      expect(sessionCount()).toBe(before)
      expect(query(it.dataDir, 'SELECT id, public_key FROM factors')).toEqual(factors)
      if (at.own === undefined) return
      const { challenge, answers } = (await everyChallenge())[at.own]!
      expect(outcomeOf(await at.use({ challenge, ...answers }))).toBe('200')
    },
  )

  test('of another session, another account or long ago is void', async () => {
    const begun = await it.call(access, 'POST', '/auth/step-up/challenge', { method: 'passkey' })
    const body = it.answerPasskey(begun, passkey)
    const other = await newSession(passkey)
    await it.create('eve')
    const hers = await it.addPasskey((await it.pair('eve')).access)
    for (const session of [other, await newSession(hers)]) {
      const crossed = await it.call(session, 'POST', '/auth/step-up', body)
      expect(outcomeOf(crossed)).toMatch(/challenge_void|factor_unavailable/)
    }
    it.clock.advanceMs(299_000)
    const late = await it.call(access, 'POST', '/auth/step-up/challenge', { method: 'passkey' })
    expect(late.status).toBe(200)
    const old = read(await it.send('/auth/passkey/challenge', {}))
    it.clock.advanceMs(300_000)
    const response = passkey.authenticate(old.options)
    const answer = await it.send('/api/token/passkey/', { challenge: old.challenge, response })
    expect(outcomeOf(answer)).toBe('400 challenge_void')
  })

  test('names the site of the settings, whatever the request says', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
      { host: 'evil.example', 'x-forwarded-proto': 'https', origin: ISSUER },
    ]) {
      const page = new TestBrowser(it)
      const asked = await page.visit('/auth/passkey/challenge', { body: {}, headers })
      const { options } = JSON.parse(asked.text) as { options: { rpId: string } }
      expect(options.rpId).toBe('localhost')
      expect(asked.text).not.toContain('evil')
    }
    const request = new Request('http://evil.example/auth/passkey/challenge', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    const text = await (await it.authority.fetch(request, { address: '203.0.113.7' })).text()
    expect(text).not.toContain('evil')
  })

  test('is the same for everybody, and reveals no account', async () => {
    const shape = (asked: Answer): unknown => {
      const { options } = JSON.parse(asked.text) as { options: Record<string, unknown> }
      return { ...options, challenge: '' }
    }
    const first = await it.send('/auth/passkey/challenge', { username: 'bob' })
    const second = await it.send('/auth/passkey/challenge', { username: 'nobody' })
    expect(shape(first)).toEqual(shape(second))
    const challenges = new Set<string>()
    for (let n = 0; n < 20; n += 1) {
      const { options } = read(await it.send('/auth/passkey/challenge', {}))
      expect(Buffer.from(options.challenge, 'base64url').length).toBeGreaterThanOrEqual(16)
      challenges.add(options.challenge)
    }
    expect(challenges.size).toBe(20)
  })
})

describe('P19 a registration', () => {
  async function begin(token: string): Promise<{ challenge: string; options: CreationOptions }> {
    const asked = await it.call(token, 'POST', '/auth/factors/passkeys/challenge')
    return JSON.parse(asked.text) as { challenge: string; options: CreationOptions }
  }

  test('of a credential that somebody has already is refused, also at once', async () => {
    const taken = Buffer.from(passkey.passkeys[0]!.id, 'base64url')
    const tokens: string[] = []
    for (const name of ['eve', 'mallory']) {
      await it.create(name)
      tokens.push((await it.pair(name)).access)
    }
    const add = async (token: string, credentialId: Uint8Array): Promise<string> => {
      const { challenge, options } = await begin(token)
      const response = newAuthenticator().register(options, { credentialId })
      return outcomeOf(
        await it.call(token, 'POST', '/auth/factors/passkeys', { challenge, response }),
      )
    }
    for (const token of [...tokens, access]) {
      expect(await add(token, taken)).toMatch(/passkey_taken$/)
    }
    const fresh = Buffer.alloc(32, 5)
    const both = await Promise.all(tokens.map((token) => add(token, fresh)))
    expect(both.filter((each) => each === '200')).toHaveLength(1)
    expect(query(it.dataDir, 'SELECT id FROM factors')).toHaveLength(2)
    // Bob's passkey still is his.
    expect(await newSession(passkey)).toContain('.')
  })

  test('that is forged is refused', async () => {
    const forged = {
      'of another origin': { origin: 'https://evil.example' },
      'for another RP ID': { rpId: 'evil.example' },
      'without user verification': { isUserVerified: false },
      'that is backed up but not eligible': { isBackedUp: true, isBackupEligible: false },
      'with a challenge of its own': { challenge: 'AAAA' },
      'with an algorithm that was not offered': { alg: -35 },
      'of an authentication': { type: 'webauthn.get' },
      'from a frame of another site': { crossOrigin: true },
      'with an id of 1024 bytes': { credentialId: Buffer.alloc(1024, 3) },
    }
    for (const [what, change] of Object.entries(forged)) {
      const { challenge, options } = await begin(access)
      const response = newAuthenticator().register(options, change)
      const answer = await it.call(access, 'POST', '/auth/factors/passkeys', {
        challenge,
        response,
      })
      expect([what, outcomeOf(answer)]).toEqual([what, REFUSED])
    }
    expect(query(it.dataDir, 'SELECT id FROM factors')).toHaveLength(1)
  })

  test('names a random user, without a name or an id of the account', async () => {
    const { options } = await begin(access)
    const handle = Buffer.from(options.user.id, 'base64url')
    expect(handle).toHaveLength(64)
    const { id } = queryOne(it.dataDir, `SELECT id FROM accounts WHERE username = 'bob'`)
    expect(handle.toString('latin1')).not.toContain(String(id).slice(5))
    expect((await begin(access)).options.user.id).toBe(options.user.id)
  })
})

describe('P19 a passkey', () => {
  test('that was removed, or whose account is disabled or deleted, opens nothing', async () => {
    const use = async (): Promise<string> => {
      const asked = await it.send('/auth/passkey/challenge', {})
      return outcomeOf(await it.send('/api/token/passkey/', it.answerPasskey(asked, passkey)))
    }
    await it.authority.accounts.disable('bob', 'test')
    expect((await use()).slice(0, 3)).toBe('401')
    await it.authority.accounts.enable('bob', 'test')
    access = await newSession(passkey)
    const [id] = await it.factorIds(access)
    expect((await it.call(access, 'DELETE', `/auth/factors/${id}`)).status).toBe(200)
    expect(await use()).toBe(UNKNOWN)
    expect((await it.logIn('bob', PASSWORD)).status).toBe(200)
  })

  test('that is synced may have a counter of zero, again and again', async () => {
    await it.create('carol')
    const synced = await it.addPasskey((await it.pair('carol')).access, newAuthenticator(true))
    for (let n = 0; n < 3; n += 1) expect(await newSession(synced)).toContain('.')
  })
})
