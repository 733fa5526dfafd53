import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { AuthorityConfig } from '../../packages/server/src/authority.ts'
import { collectMails } from '../../packages/server/test/support/mails.ts'
import { totpAt } from '../../packages/server/test/support/factors.ts'
import { createFactors } from '../../packages/client/src/factors.ts'
import {
  createClient,
  type Client,
  type EnrolStep,
  type SecondFactorStep,
  type SignedIn,
  type StepUpRequest,
} from '../../packages/client/src/index.ts'
import { startApi, type Api } from '../browser/sites.ts'
import { ALICE, startAuthority, type ListeningAuthority } from './world.ts'

let authority: ListeningAuthority
let client: Client
/** The requests of the client, with their statuses. */
let calls: string[]
const { fetch: realFetch } = globalThis

beforeEach(async () => {
  authority = await startAuthority()
  client = createClient({ authority: authority.url, mode: 'memory' })
  calls = []
  globalThis.fetch = async (input, init) => {
    const answer = await realFetch(input, init)
    const url = input instanceof Request ? input.url : input.toString()
    calls.push(`${new URL(url).pathname} ${answer.status}`)
    return answer
  }
})
afterEach(async () => {
  globalThis.fetch = realFetch
  await authority[Symbol.asyncDispose]()
})

const codeOf = (secret: string): string => totpAt(secret, authority.it.clock.nowMs())
const wrongOf = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')
const nextStep = (): void => authority.it.clock.advanceMs(30_000)
const statusOf = async (answer: Promise<Response>): Promise<number> => (await answer).status
const callsTo = (path: string): string[] => calls.filter((call) => call.startsWith(`${path} `))

/** Enrols an authenticator app in a session of its own, and waits until its next code. */
async function enrol(): Promise<{ secret: string; recoveryCodes: readonly string[] }> {
  const own = createClient({ authority: authority.url, mode: 'memory' })
  await own.login(ALICE)
  const begun = await createFactors(own).beginTotp()
  const { recoveryCodes } = await begun.submit(codeOf(begun.secret), 'Phone')
  nextStep()
  return { secret: begun.secret, recoveryCodes }
}

async function loginToFactor(by: Client = client): Promise<SecondFactorStep> {
  const step = await by.login(ALICE)
  if (step.next !== 'second-factor') throw new Error(`The next step is ${step.next}.`)
  return step
}

describe('a login with a second factor', () => {
  test('continues with the code of the app, after a wrong one', async () => {
    const { secret } = await enrol()
    const step = await loginToFactor()
    expect(step.methods).toEqual(['totp', 'recovery_code'])
    expect(client.peek()).toBeUndefined()
    expect(JSON.stringify(step)).not.toContain('ticket')

    const code = codeOf(secret)
    await expect(step.totp(wrongOf(code))).rejects.toMatchObject({ code: 'factor_wrong' })
    expect(await step.totp(code)).toEqual({
      next: 'signed-in',
      session: client.peek(),
      recoveryCodes: [],
    })
    expect(client.peek()).toMatchObject({
      username: 'alice',
      acr: 'aal2',
      amr: ['pwd', 'otp', 'mfa'],
    })
    await expect(step.totp(code)).rejects.toMatchObject({ code: 'ticket_void' })
  })

  test('continues with a recovery code', async () => {
    const { recoveryCodes } = await enrol()
    expect(recoveryCodes).toHaveLength(10)
    const step = await loginToFactor()
    expect(await step.recoveryCode(recoveryCodes[0]!)).toMatchObject({ next: 'signed-in' })
    expect(await createFactors(client).list()).toMatchObject({ recovery_codes_left: 9 })
  })

  test('a passkey needs a browser that can use passkeys', async () => {
    await expect(client.loginWithPasskey()).rejects.toMatchObject({ code: 'passkeys_unsupported' })
  })

  test('sets a factor up first, if the account needs one', async () => {
    await using strict = await startAuthority(undefined, {
      secondFactor: 'required',
      secondFactorGrace: 'off',
    })
    const own = createClient({ authority: strict.url, mode: 'memory' })
    const step = (await own.login(ALICE)) as EnrolStep
    expect(step).toMatchObject({ next: 'enrol', methods: ['totp', 'passkey'] })
    const { qr, secret, uri, submit } = await step.beginTotp()
    expect(qr).toMatch(/^<svg /)
    expect(uri).toContain(secret)
    const code = totpAt(secret, strict.it.clock.nowMs())
    await expect(submit(wrongOf(code))).rejects.toMatchObject({ code: 'factor_wrong' })
    const done = (await submit(code, 'Phone')) as SignedIn
    expect(done).toMatchObject({ next: 'signed-in', session: { username: 'alice', acr: 'aal2' } })
    expect(done.recoveryCodes).toHaveLength(10)
    expect(await createFactors(own).list()).toMatchObject({ factors: [{ name: 'Phone' }] })
  })
})

test('recovery codes are not lost in an outage after the setup of a factor', async () => {
  await client.login(ALICE)
  const begun = await createFactors(client).beginTotp()
  const watched = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : input.toString()
    if (url.endsWith('/refresh/')) throw new TypeError('fetch failed')
    return watched(input, init)
  }
  const { recoveryCodes } = await begun.submit(codeOf(begun.secret))
  expect(recoveryCodes).toHaveLength(10)
  globalThis.fetch = watched
  expect(await statusOf(client.fetch(`${authority.url}/auth/me`))).toBe(200)
})

describe('mailed codes', () => {
  const CAROL = { username: 'carol', password: ALICE.password } as const
  const ACCOUNT = { ...CAROL, email: 'carol@example.com', emailVerified: true }

  async function startMailing(
    config: AuthorityConfig = {},
  ): Promise<{ it: ListeningAuthority; nextCode: () => Promise<string> }> {
    const mails = collectMails()
    const it = await startAuthority(undefined, { ...mails.config, ...config })
    await it.it.authority.accounts.create(ACCOUNT, 'test')
    client = createClient({ authority: it.url, mode: 'memory' })
    const nextCode = async (): Promise<string> => (await mails.nextMail()).code
    return { it, nextCode }
  }

  test('are a second factor where the policy allows it', async () => {
    const policy = { secondFactor: 'required', secondFactorMail: true } as const
    const { it, nextCode } = await startMailing({ ...policy, secondFactorGrace: 'off' })
    await using _ = it
    const step = (await client.login(CAROL)) as SecondFactorStep
    expect(step).toMatchObject({ next: 'second-factor', methods: ['mail'] })
    const mailed = await step.mail()
    await expect(mailed.submit('BCDFGHJK')).rejects.toMatchObject({ status: 401 })
    expect(await mailed.submit(await nextCode())).toMatchObject({ next: 'signed-in' })
  })

  test('confirm who a person is', async () => {
    const { it, nextCode } = await startMailing()
    await using _ = it
    await client.login(CAROL)
    it.it.clock.advanceMs(11 * 60_000)
    client.onStepUp(async ({ methods, mail }) => {
      expect(methods).toEqual(['password', 'mail'])
      await (await mail()).submit(await nextCode())
    })
    expect((await createFactors(client).beginTotp()).secret).toMatch(/^[A-Z2-7]+$/)
  })
})

test('a person lists, names and removes their own factors', async () => {
  await client.login(ALICE)
  const factors = createFactors(client)
  expect(await factors.list()).toMatchObject({ factors: [], recovery_codes_left: 0 })
  expect(await factors.policy()).toMatchObject({ required: false, passkeys: true, mail: false })
  const begun = await factors.beginTotp()
  const { recoveryCodes } = await begun.submit(codeOf(begun.secret))
  expect(client.peek()).toMatchObject({ acr: 'aal2' })

  const [factor] = (await factors.list()).factors
  await factors.rename(factor!.id, 'Old phone')
  const codes = await factors.replaceRecoveryCodes()
  expect(codes).toHaveLength(10)
  expect(codes).not.toEqual(recoveryCodes)
  expect(await factors.list()).toMatchObject({ factors: [{ name: 'Old phone' }] })
  expect(await factors.devices()).toEqual([])
  await factors.forgetDevices()
  await factors.remove(factor!.id)
  expect(await factors.list()).toMatchObject({ factors: [], recovery_codes_left: 0 })
  await expect(factors.remove(factor!.id)).rejects.toMatchObject({ code: 'not_found' })
  expect(await statusOf(client.fetch(`${authority.url}/auth/me`))).toBe(200)
})

describe('a step-up', () => {
  let api: Api
  let url: string
  beforeEach(async () => {
    const { it, url: issuerUrl } = authority
    api = await startApi({
      issuer: 'http://localhost:8000',
      jwksUrl: `${issuerUrl}/.well-known/jwks.json`,
      clock: () => it.clock.nowMs(),
    })
    url = `http://127.0.0.1:${api.port}`
    client = createClient({ authority: issuerUrl, origins: [url], mode: 'memory' })
  })
  afterEach(() => api[Symbol.asyncDispose]())

  const post = (path: string, body: string): Promise<Response> =>
    client.fetch(`${url}${path}`, { method: 'POST', body })

  test('confirms the password, and repeats all refused calls of a service once', async () => {
    await client.login(ALICE)
    authority.it.clock.advanceMs(61_000)
    const asked: StepUpRequest[] = []
    client.onStepUp(async (request) => {
      asked.push(request)
      await request.password(ALICE.password)
    })
    calls = []
    const answers = ['/api/recent', '/api/recent', '/api/recent'].map((path) => post(path, 'x'))
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ methods: ['password'], maxAgeSec: 60, acrValues: [] })
    expect(await asked[0]!.settled).toBe(true)
    expect(callsTo('/auth/step-up')).toEqual(['/auth/step-up 200', '/auth/step-up 200'])
    expect(callsTo('/api/recent').toSorted()).toEqual(
      [200, 200, 200, 401, 401, 401].map((status) => `/api/recent ${status}`),
    )
  })

  test('gives a service the second factor that it demands, with the body of the call', async () => {
    const { secret } = await enrol()
    const step = await loginToFactor()
    await step.totp(codeOf(secret))
    authority.it.clock.advanceMs(61_000)
    client.onStepUp((request) => request.totp(codeOf(secret)))
    expect(await statusOf(post('/api/safe', 'transfer 7'))).toBe(200)
    expect(await statusOf(post('/api/recent', ''))).toBe(200)
    expect(api.safe).toEqual(['transfer 7'])
  })

  test('serves the changes of the authority, too, and its wrong codes are not repeated', async () => {
    const { secret } = await enrol()
    const step = await loginToFactor()
    await step.totp(codeOf(secret))
    authority.it.clock.advanceMs(11 * 60_000)
    const problems: string[] = []
    client.onStepUp(async ({ methods, acrValues, maxAgeSec, totp }) => {
      expect({ methods, acrValues, maxAgeSec }).toEqual({
        methods: ['totp', 'recovery_code'],
        acrValues: ['aal2'],
        maxAgeSec: 600,
      })
      const code = codeOf(secret)
      await totp(wrongOf(code)).catch(({ code: problem }) => problems.push(problem))
      await totp(code)
    })
    calls = []
    expect(await createFactors(client).replaceRecoveryCodes()).toHaveLength(10)
    expect(problems).toEqual(['factor_wrong'])
    expect(callsTo('/auth/step-up')).toEqual([
      '/auth/step-up 200',
      '/auth/step-up 401',
      '/auth/step-up 200',
    ])
  })

  test('never loops: what is still refused is returned', async () => {
    await client.login(ALICE)
    let asked = 0
    client.onStepUp(async (request) => {
      asked += 1
      expect(request.acrValues).toEqual(['aal2'])
      authority.it.clock.advanceMs(1000)
      await request.password(ALICE.password)
    })
    calls = []
    expect(await statusOf(post('/api/safe', ''))).toBe(401)
    expect(asked).toBe(1)
    expect(callsTo('/api/safe')).toEqual(['/api/safe 401', '/api/safe 401'])
  })

  test.each([
    ['the person cancels', (request: StepUpRequest) => request.cancel()],
    ['the handler rejects', async () => Promise.reject(new Error('of the page'))],
    [
      'the handler throws',
      () => {
        throw new Error('of the page')
      },
    ],
    ['the person logs out', () => client.logout()],
  ])('returns the first answer if %s', async (_, handler) => {
    await client.login(ALICE)
    const stop = client.onStepUp(handler)
    const answer = await post('/api/safe', '')
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 'insufficient_user_authentication' })
    expect(callsTo('/api/safe')).toEqual(['/api/safe 401'])
    stop()
    expect(await statusOf(post('/api/safe', ''))).toBe(401)
  })

  test('is not asked for a call whose body is a stream', async () => {
    await client.login(ALICE)
    let asked = 0
    client.onStepUp((request) => {
      asked += 1
      request.cancel()
    })
    const body = new Blob(['x']).stream()
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    expect(await statusOf(client.fetch(`${url}/api/safe`, init))).toBe(401)
    expect(asked).toBe(0)
  })

  test('is not asked for answers of foreign origins', async () => {
    await client.login(ALICE)
    let asked = 0
    client.onStepUp(() => (asked += 1))
    const foreign = url.replace('127.0.0.1', 'localhost')
    expect(await statusOf(client.fetch(`${foreign}/api/safe`))).toBe(401)
    expect(asked).toBe(0)
  })
})
