import { setTimeout as sleep } from 'node:timers/promises'

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Pair } from './support/authority.ts'
import { HttpClient, type HttpAnswer, type RequestHeaders } from './support/http-client.ts'
import { explain, type Observed, type Seen } from './support/mixture-model.ts'
import { sized } from './support/long.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'
import { claimsOf } from './support/forge.ts'

// Fifty requests of one session at once: password changes, logouts and refreshes, by cookies and by the
// contract. Some sequence of them must explain all answers and the final state.

const AT_ONCE = 50
const RUNS = sized(30, 120)
// The mixtures are the same each time. Their order in the server is not.
const SEED = 20_261_123

let server: ServerProcess
let client: HttpClient
/** The current password, kept from one mixture to the next. */
let password: string = ADMIN.password
let passwords = 0
beforeAll(async () => {
  server = await startServerProcess()
  client = new HttpClient(server.url, AT_ONCE)
})
afterAll(async () => {
  client.close()
  await server[Symbol.asyncDispose]()
})

/** A login in a browser, refreshed once, so that the current token has a predecessor. */
interface Session {
  readonly sid: string
  readonly access: string
  readonly previous: string
  readonly current: string
  readonly csrf: string
}

const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' }

function cookiesOf(answer: HttpAnswer): Map<string, string> {
  const lines = [answer.headers['set-cookie'] ?? []].flat()
  return new Map(
    lines.map((line) => /^([^=]+)=([^;]*)/.exec(line)!.slice(1, 3) as [string, string]),
  )
}

async function openSession(): Promise<Session> {
  const before = await client.get('/auth/csrf')
  const { csrf_token: token } = JSON.parse(before.text) as { csrf_token: string }
  const login = await client.post(
    '/auth/login',
    { username: ADMIN.username, password },
    {
      ...SAME_ORIGIN,
      cookie: `cs_csrf=${cookiesOf(before).get('cs_csrf')}`,
      'x-csrf-token': token,
    },
  )
  expect(login.status).toBe(200)
  const { csrf_token: csrf } = JSON.parse(login.text) as { csrf_token: string }
  const first = cookiesOf(login)
  const session = {
    csrf,
    access: first.get('cs_access')!,
    previous: first.get('cs_refresh')!,
    current: first.get('cs_refresh')!,
    sid: String(claimsOf(first.get('cs_access')!)['sid']),
  }
  const refreshed = await client.send('POST', '/auth/refresh', headersOf(session))
  expect(refreshed.status).toBe(200)
  const second = cookiesOf(refreshed)
  return { ...session, access: second.get('cs_access')!, current: second.get('cs_refresh')! }
}

function headersOf({ access, current, csrf }: Session, sent = current): RequestHeaders {
  return {
    ...SAME_ORIGIN,
    'x-csrf-token': csrf,
    cookie: `cs_access=${access}; cs_refresh=${sent}`,
  }
}

/** A request, with the part of its answer that the model sees. */
type Act = (session: Session, oldPassword: string) => Promise<Seen>

async function change(oldPassword: string, headers: RequestHeaders): Promise<Seen> {
  const newPassword = `a long new password ${(passwords += 1)} of many`
  const body = { old_password: oldPassword, new_password: newPassword }
  for (;;) {
    const { status, text } = await client.post('/auth/password', body, headers)
    // A client with its token in the header gets the next one in the answer.
    if (status === 200 || status === 204) return { kind: 'change', status: 204, value: newPassword }
    const { code } = JSON.parse(text) as { code: string }
    // A busy machine refuses a password that would wait too long. Such a change has not begun.
    if (code !== 'password_queue_full') return { kind: 'change', status, value: newPassword, code }
    await sleep(50)
  }
}

/** The refresh token of an answer, from its body or its cookies. */
function successorOf(answer: HttpAnswer): string | undefined {
  if (answer.status !== 200) return undefined
  return cookiesOf(answer).get('cs_refresh') ?? (JSON.parse(answer.text) as Pair).refresh
}

async function refresh(kind: 'refresh' | 'refreshOld', sent: Promise<HttpAnswer>): Promise<Seen> {
  const answer = await sent
  return { kind, status: answer.status, value: successorOf(answer) }
}

/** The access token in the Authorization header, where it needs no CSRF token. */
const bearer = ({ access }: Session): RequestHeaders => ({ authorization: `Bearer ${access}` })

const acts: Readonly<Record<string, Act>> = {
  'change by cookie': (session, old) => change(old, headersOf(session)),
  'change by header': (session, old) => change(old, bearer(session)),
  'change with a wrong password': async (session) => ({
    ...(await change('not the old password', headersOf(session))),
    kind: 'wrongChange',
  }),
  'logout by cookie': async (session) => {
    const { status } = await client.send('POST', '/auth/logout', headersOf(session))
    return { kind: 'logout', status }
  },
  'logout by the contract': async ({ current }) => {
    const { status } = await client.post('/api/token/blacklist/', { refresh: current })
    return { kind: 'blacklist', status }
  },
  'end of the session': async (session) => {
    const path = `/auth/sessions/${session.sid}`
    const { status } = await client.send('DELETE', path, headersOf(session))
    return { kind: 'endOwn', status }
  },
  'refresh by cookie': (session) =>
    refresh('refresh', client.send('POST', '/auth/refresh', headersOf(session))),
  'refresh by the contract': ({ current }) =>
    refresh('refresh', client.post('/api/token/refresh/', { refresh: current })),
  'refresh with the token before, by cookie': (session) =>
    refresh(
      'refreshOld',
      client.send('POST', '/auth/refresh', headersOf(session, session.previous)),
    ),
  'refresh with the token before, by the contract': ({ previous }) =>
    refresh('refreshOld', client.post('/api/token/refresh/', { refresh: previous })),
  'a look': async (session) => {
    const { status } = await client.get('/auth/me', bearer(session))
    return { kind: 'look', status }
  },
}
const KINDS = Object.keys(acts)

async function logsIn(tried: string): Promise<boolean> {
  const body = { username: ADMIN.username, password: tried }
  return (await client.post('/api/token/', body)).status === 200
}

/** Reads the state after all answers. It checks last whether the session has ended. */
async function observe(
  session: Session,
  witness: Pair,
  oldPassword: string,
  seen: readonly Seen[],
): Promise<Observed> {
  const newest = seen.find(({ kind, status }) => kind === 'refresh' && status === 200)?.value
  const wasWitnessEnded =
    (await client.post('/api/token/refresh/', { refresh: witness.refresh })).status !== 200

  const offered = seen.flatMap(({ kind, value }) => (kind === 'change' ? [value!] : []))
  const said = seen.flatMap(({ kind, status, value }) =>
    kind === 'change' && status === 204 ? [value!] : [],
  )
  const refused = offered.filter((each) => !said.includes(each)).slice(0, 2)
  const opening: string[] = []
  for (const each of [oldPassword, ...said, ...refused]) if (await logsIn(each)) opening.push(each)

  // The newest token refreshes exactly while the session is live, and the result is accepted.
  const last = await client.post('/api/token/refresh/', { refresh: newest ?? session.current })
  const isAlive = last.status === 200
  const access = isAlive ? (JSON.parse(last.text) as Pair).access : session.access
  const look = await client.get('/auth/me', bearer({ ...session, access }))
  expect(look.status === 200).toBe(isAlive)
  const generation = isAlive ? Number(claimsOf(successorOf(last)!)['gen']) - 1 : undefined
  return { isAlive, wasWitnessEnded, opening, generation }
}

/** A request of a mixture, and the time to send it. */
interface Sent {
  readonly kind: string
  readonly afterMs: number
}

async function runMixture(mixture: readonly Sent[]): Promise<readonly Seen[]> {
  const oldPassword = password
  const session = await openSession()
  const witness = await client.login({ username: ADMIN.username, password })
  const seen = await Promise.all(
    mixture.map(async ({ kind, afterMs }) => {
      if (afterMs > 0) await sleep(afterMs)
      return acts[kind]!(session, oldPassword)
    }),
  )
  const observed = await observe(session, witness, oldPassword, seen)
  // Kept for the next mixture, before an assertion can fail.
  password = observed.opening[0] ?? password
  expect(explain({ oldPassword, previousGives: session.current }, seen, observed)).toBe('explained')
  return seen
}

const counts = new Map<string, number>()
function count(seen: readonly Seen[]): void {
  for (const { kind, status } of seen) {
    const key = `${kind} ${status}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
}

test.each(KINDS)('C09 fifty requests at once of one kind: %s', async (kind) => {
  count(await runMixture(Array.from({ length: AT_ONCE }, () => ({ kind, afterMs: 0 }))))
})

/** Requests that end a session are rare and often late. Otherwise they would hide the other answers. */
const ENDING = /logout|end of/
const weightOf = (kind: string): fc.Arbitrary<number> =>
  ENDING.test(kind) ? fc.constantFrom(0, 0, 0, 1) : fc.constantFrom(0, 1, 4, 20)

/** Some kinds are frequent, some rare, some missing. All are sent at once or within some time. */
const anyMixture = fc
  .tuple(fc.tuple(...KINDS.map(weightOf)), fc.constantFrom(0, 0, 30, 150))
  .filter(([weights]) => weights.filter((weight) => weight > 0).length > 1)
  .chain(([weights, withinMs]) => {
    const kind = fc.oneof(
      ...KINDS.map((each, at) => ({ arbitrary: fc.constant(each), weight: weights[at] ?? 0 })),
    )
    const afterMs = fc.nat({ max: withinMs })
    return fc.array(fc.record({ kind, afterMs }), { minLength: AT_ONCE, maxLength: AT_ONCE })
  })

/** A logout and later refreshes. In the other mixtures, the order in the server decides whether any refresh is late. */
const REFRESHES = KINDS.filter((kind) => kind.startsWith('refresh'))
const lateRefreshes: Sent[] = [
  { kind: 'logout by cookie', afterMs: 0 },
  ...Array.from({ length: AT_ONCE - 1 }, (_, n) => ({
    kind: REFRESHES[n % REFRESHES.length]!,
    afterMs: 200,
  })),
]

test('C09 some sequence explains fifty requests at once of any mixture', async () => {
  await fc.assert(
    fc.asyncProperty(anyMixture, async (mixture) => count(await runMixture(mixture))),
    { numRuns: RUNS, seed: SEED, endOnFailure: true, examples: [[lateRefreshes]] },
  )
  console.log([...counts].map(([key, times]) => `${key}: ${times}`).join(', '))
  // Mixtures in which everything succeeds, or everything is refused, would prove nothing.
  for (const key of [
    'change 204',
    'change 401',
    'logout 204',
    'blacklist 200',
    'blacklist 401',
    'endOwn 204',
    'refresh 200',
    'refresh 401',
    'refreshOld 200',
    'refreshOld 401',
  ]) {
    expect(counts.get(key) ?? 0, key).toBeGreaterThan(0)
  }
})

describe('the model', () => {
  const start = { oldPassword: 'old', previousGives: 'one' }
  const alive: Observed = { isAlive: true, wasWitnessEnded: false, opening: ['old'], generation: 1 }
  const rotated = { ...alive, generation: 2 }
  const over = { ...alive, isAlive: false, generation: undefined }
  const changed = { ...alive, wasWitnessEnded: true, opening: ['new'] }
  const refreshes = (value: string): Seen => ({ kind: 'refresh', status: 200, value })

  test.each<[name: string, seen: readonly Seen[], observed: Observed]>([
    ['nothing', [], alive],
    ['a refresh', [refreshes('two'), refreshes('two')], rotated],
    [
      'a logout, then none',
      [
        { kind: 'logout', status: 204 },
        { kind: 'refresh', status: 401 },
      ],
      over,
    ],
    [
      'a change and one that came too late',
      [
        { kind: 'change', status: 204, value: 'new' },
        { kind: 'change', status: 401, value: 'newer', code: 'credentials_invalid' },
      ],
      changed,
    ],
    ['the token before, twice', [{ kind: 'refreshOld', status: 200, value: 'one' }], alive],
    [
      'the token before, after a refresh',
      [refreshes('two'), { kind: 'refreshOld', status: 200, value: 'two' }],
      rotated,
    ],
  ])('explains %s', (_, seen, observed) => {
    expect(explain(start, seen, observed)).toBe('explained')
  })

  test.each<[name: string, seen: readonly Seen[], observed: Observed]>([
    ['a session that lives after its logout', [{ kind: 'logout', status: 204 }], alive],
    ['a refused refresh of a session that lives', [{ kind: 'refresh', status: 401 }], alive],
    ['two successors', [refreshes('two'), refreshes('three')], rotated],
    ['a rotation that is not in the store', [refreshes('two')], alive],
    ['one that nobody was told of', [], rotated],
    ['a session that ended by itself', [refreshes('two')], over],
    [
      'two changes',
      [
        { kind: 'change', status: 204, value: 'new' },
        { kind: 'change', status: 204, value: 'newer' },
      ],
      changed,
    ],
    ['the old password after a change', [{ kind: 'change', status: 204, value: 'new' }], alive],
    ['two passwords', [], { ...alive, opening: ['old', 'new'] }],
    ['no password', [], { ...alive, opening: [] }],
    [
      'a change that ended its own session',
      [{ kind: 'change', status: 204, value: 'new' }],
      { ...changed, isAlive: false, generation: undefined },
    ],
    [
      'a change that ended no other session',
      [{ kind: 'change', status: 204, value: 'new' }],
      { ...changed, wasWitnessEnded: false },
    ],
    [
      'a refused change where nothing changed',
      [{ kind: 'change', status: 401, value: 'x', code: 'credentials_invalid' }],
      alive,
    ],
    [
      'a change that calls a session ended which lives',
      [
        { kind: 'change', status: 204, value: 'new' },
        { kind: 'change', status: 401, value: 'newer', code: 'session_ended' },
      ],
      changed,
    ],
    [
      'a change that calls a token old when nothing has changed',
      [{ kind: 'change', status: 401, value: 'new', code: 'token_stale' }],
      alive,
    ],
    ['a change with a wrong password', [{ kind: 'wrongChange', status: 204 }], changed],
    [
      'two logouts by the contract',
      [
        { kind: 'blacklist', status: 200 },
        { kind: 'blacklist', status: 200 },
      ],
      over,
    ],
    [
      'a wrong successor of the token before',
      [{ kind: 'refreshOld', status: 200, value: 'x' }],
      alive,
    ],
    [
      'two successors, one of them of the token before',
      [refreshes('two'), { kind: 'refreshOld', status: 200, value: 'three' }],
      rotated,
    ],
    [
      'the token before, which ends a session',
      [refreshes('two'), { kind: 'refreshOld', status: 401 }],
      over,
    ],
    ['a fault', [{ kind: 'look', status: 503 }], alive],
  ])('explains never %s', (_, seen, observed) => {
    expect(explain(start, seen, observed)).not.toBe('explained')
  })
})
