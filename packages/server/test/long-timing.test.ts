import { describe, expect, test } from 'vitest'

import { execute } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import { shuffled } from './support/leak.ts'
import { compareSamples, medianOf } from './support/mann-whitney.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'

// P01 of docs/attack-catalogue.md: the response time does not reveal whether an account exists.

const TRIES = 400
const WARM_UP = 30
const RETRIES = 2
const P_MAX = 0.001
const MEDIANS_DIFFER_MAX = 0.05

/** A busy machine shows a difference now and then. A leak shows it every time. */
function isLeak(first: readonly number[], second: readonly number[]): boolean {
  const { p, ofMedians } = compareSamples(first, second)
  return p < P_MAX && Math.abs(ofMedians) > MEDIANS_DIFFER_MAX
}

describe('the method', () => {
  /** Realistic response times: near a minimum, with a long tail. The same for the same seed. */
  function synthetic(seed: number, medianMs: number): number[] {
    let state = seed
    const uniform = (): number => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    return Array.from({ length: TRIES }, () => {
      const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
      const stall = uniform() < 0.03 ? 1 + 9 * uniform() : 1
      return medianMs * Math.exp(0.15 * normal) * stall
    })
  }
  const seeds = Array.from({ length: 100 }, (_, n) => 1_000 + 7_919 * n)

  test('finds a leak of 10 % in every one of a hundred pairs of samples', () => {
    const found = seeds.filter((seed) => isLeak(synthetic(seed, 6), synthetic(seed + 1, 6.6)))
    expect(found).toEqual(seeds)
    const faster = seeds.filter((seed) => isLeak(synthetic(seed, 6), synthetic(seed + 1, 5.4)))
    expect(faster).toEqual(seeds)
  })

  test('finds no leak where there is none', () => {
    expect(seeds.filter((seed) => isLeak(synthetic(seed, 6), synthetic(seed + 1, 6)))).toEqual([])
  })

  test('computes the p-values of published tables', () => {
    const first = Array.from({ length: 20 }, (_, n) => n)
    expect(compareSamples(first, first).p).toBeCloseTo(1)
    // U = 14 + 13 + ... + 1 = 105 of 400, and so z = -2.570.
    const later = first.map((value) => value + 5.5)
    expect(compareSamples(first, later).p).toBeCloseTo(0.0102, 4)
    expect(compareSamples(later, first).p).toBeCloseTo(0.0102, 4)
    expect(medianOf([4, 1, 3, 2])).toBe(2.5)
    expect(medianOf([4, 1, 3])).toBe(3)
  })
})

const KINDS = ['unknown account', 'wrong password', 'disabled account'] as const
type Kind = (typeof KINDS)[number]
type Samples = Readonly<Record<Kind, number[]>>

const GOOD_PASSWORD = 'the right horse battery'

/** The disabled account gets its correct password, where a leak would reveal most. */
const attempts: Readonly<Record<Kind, object>> = {
  'unknown account': { username: 'zzzzz', password: GOOD_PASSWORD },
  'wrong password': { username: ADMIN.username, password: GOOD_PASSWORD },
  'disabled account': { username: 'dormy', password: GOOD_PASSWORD },
}

/** Measures logins of each kind, one at a time and in random order. */
async function sample(logIn: (body: object) => Promise<number>): Promise<Samples> {
  const samples: Samples = { 'unknown account': [], 'wrong password': [], 'disabled account': [] }
  for (let round = -WARM_UP; round < TRIES; round += 1) {
    for (const kind of shuffled(KINDS)) {
      const start = performance.now()
      const status = await logIn(attempts[kind])
      const afterMs = performance.now() - start
      expect(status).toBe(401)
      if (round >= 0) samples[kind].push(afterMs)
    }
  }
  return samples
}

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['unknown account', 'wrong password'],
  ['unknown account', 'disabled account'],
  ['wrong password', 'disabled account'],
]

/** The pairs of kinds whose times differ. Prints the figures of each pair. */
function findLeaks(path: string, samples: Samples): string[] {
  return PAIRS.filter(([a, b]) => {
    const { p, ofMedians } = compareSamples(samples[a], samples[b])
    const medians = [a, b].map((kind) => `${kind} ${medianOf(samples[kind]).toFixed(3)} ms`)
    const difference = `${(100 * ofMedians).toFixed(2)} %`
    console.log(
      `${path}: ${medians.join(', ')}; medians differ by ${difference}, p = ${p.toPrecision(3)}`,
    )
    return isLeak(samples[a], samples[b])
  }).map((pair) => pair.join(' / '))
}

async function addDisabledAccount(server: ServerProcess, client: HttpClient): Promise<void> {
  const account = { username: 'dormy', password: GOOD_PASSWORD }
  expect((await client.post('/auth/signup', account)).status).toBe(201)
  execute(server.dataDir, `UPDATE accounts SET disabled_at = 1 WHERE username = 'dormy'`)
}

test.each(['/api/token/', '/auth/login'])(
  'P01 the time of an answer at %s tells nothing of the account',
  async (path) => {
    await using server = await startServerProcess({ env: { COUNTERSIGN_SIGN_UP: 'true' } })
    const client = new HttpClient(server.url, 1)
    await addDisabledAccount(server, client)
    const csrf = await client.get('/auth/csrf')
    const { csrf_token: token } = JSON.parse(csrf.text) as { csrf_token: string }
    const headers = {
      cookie: String(csrf.headers['set-cookie']).split(';')[0] ?? '',
      'x-csrf-token': token,
      'sec-fetch-site': 'same-origin',
    }
    const logIn = async (body: object): Promise<number> =>
      (await client.post(path, body, headers)).status

    let leaks: readonly string[] = []
    for (let attempt = 0; attempt <= RETRIES; attempt += 1) {
      leaks = findLeaks(path, await sample(logIn))
      if (leaks.length === 0) break
    }
    client.close()
    expect(leaks).toEqual([])
  },
)
