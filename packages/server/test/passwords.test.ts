import { describe, expect, test } from 'vitest'

import { createPasswordHasher, type PasswordHasher } from '../src/accounts/passwords.ts'
import { limits } from '../src/base/limits.ts'
import { createSystemRandom } from '../src/base/random.ts'
import { signIn } from '../src/sessions/sign-in.ts'
import { openTestAuthority, PASSWORD, USERNAME } from './support/authority.ts'
import { execute, query, queryOne } from './support/database.ts'
import { HERE } from './support/session-rows.ts'
import { newPasswordsWith, openTestSessions, plainHasher } from './support/sessions.ts'

const PARAMETERS = { memoryKib: 8_192, passes: 1, lanes: 1 }

function openHasher(
  options: { concurrency?: number; waitMsMax?: number; elapsed?: () => number } = {},
): PasswordHasher {
  return createPasswordHasher({
    parameters: PARAMETERS,
    concurrency: 1,
    waitMsMax: 10_000,
    elapsed: () => performance.now(),
    random: createSystemRandom(),
    decoySecret: Buffer.alloc(32, 7),
    ...options,
  })
}

const hashOf = (it: { readonly dataDir: string }): string =>
  String(queryOne(it.dataDir, 'SELECT password_hash FROM accounts')['password_hash'])

test('a password matches only its own hash', async () => {
  const hasher = openHasher()
  const hash = (await hasher.hash(PASSWORD))!
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=8192,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  expect(await hasher.verify(hash, PASSWORD, USERNAME)).toBe(true)
  expect(await hasher.verify(hash, `${PASSWORD} `, USERNAME)).toBe(false)
  expect(await hasher.hash(PASSWORD)).not.toBe(hash)
})

test('NFC and NFD spellings are the same password, and other spellings are not', async () => {
  const hasher = openHasher()
  const composed = 'caf\u00e9 horse battery'
  const hash = (await hasher.hash(composed))!
  expect(await hasher.verify(hash, 'cafe\u0301 horse battery', USERNAME)).toBe(true)
  expect(await hasher.verify(hash, 'cafe horse battery', USERNAME)).toBe(false)
  expect(await hasher.verify(hash, composed.toUpperCase(), USERNAME)).toBe(false)
  const decomposed = (await hasher.hash('cafe\u0301 horse battery'))!
  expect(await hasher.verify(decomposed, composed, USERNAME)).toBe(true)
  // Compatibility forms are different characters.
  const wide = (await hasher.hash('\uff41 wide horse battery'))!
  expect(await hasher.verify(wide, 'a wide horse battery', USERNAME)).toBe(false)
})

test('a text longer than any password never matches', async () => {
  const hasher = openHasher()
  const tooLong = 'x'.repeat(limits.passwordBytesMax + 1)
  for (const hash of [(await hasher.hash(tooLong))!, (await hasher.hash(''))!]) {
    expect(await hasher.verify(hash, tooLong, USERNAME)).toBe(false)
  }
})

describe('a hash with outdated parameters', () => {
  test('is replaced at the next login, and no session ends', async () => {
    await using it = await openTestAuthority()
    const { refresh } = await it.login()
    const before = hashOf(it)
    await it.restart({ argon2Passes: 2 })

    const wrong = { username: USERNAME, password: 'a wrong long password' }
    expect((await it.post('/api/token/', wrong)).status).toBe(401)
    expect(hashOf(it)).toBe(before)

    await it.login()
    const after = hashOf(it)
    expect(after).toMatch(/^\$argon2id\$v=19\$m=8192,t=2,p=1\$/)
    await it.login()
    expect(hashOf(it)).toBe(after)
    expect((await it.post('/api/token/refresh/', { refresh })).status).toBe(200)
    expect(query(it.dataDir, 'SELECT * FROM revocations')).toEqual([])
  })

  test('is not replaced if the password changed meanwhile', async () => {
    const hooks: { beforeUpgrade?: () => Promise<unknown> } = {}
    await using it = await openTestSessions({
      hasher: {
        ...plainHasher,
        isOutdated: () => true,
        hash: async (password) => {
          await hooks.beforeUpgrade?.()
          return password
        },
      },
    })
    const created = await it.accounts.create({ username: USERNAME, password: PASSWORD }, 'test')
    const id = created.ok ? created.value.id : ''
    const at = it.clock.nowMs()
    hooks.beforeUpgrade = () =>
      it.store.accounts.setPasswordHash(id, 'the new one', { at, actor: 'test' })
    const result = await signIn(it.services, { username: USERNAME, password: PASSWORD }, HERE)
    expect(result).toMatchObject({ ok: false, code: 'credentials_invalid' })
    expect(hashOf(it)).toBe('the new one')
  })

  test('lets its owner in even if the queue has no room to hash again', async () => {
    await using it = await openTestSessions({
      hasher: { ...plainHasher, isOutdated: () => true },
    })
    await it.accounts.create({ username: USERNAME, password: PASSWORD }, 'test')
    const newPasswords = newPasswordsWith({
      ...it.hasher,
      hash: () => Promise.resolve(undefined),
    })
    const credentials = { username: USERNAME, password: PASSWORD }
    expect((await signIn({ ...it.services, newPasswords }, credentials, HERE)).ok).toBe(true)
    expect(hashOf(it)).toBe(PASSWORD)
  })
})

describe('the queue', () => {
  /** Verifies `count` passwords at once. Returns how many were refused. */
  async function refusedOf(hasher: PasswordHasher, count: number): Promise<number> {
    const jobs = Array.from({ length: count }, () => hasher.verify(undefined, 'x', USERNAME))
    return (await Promise.all(jobs)).filter((result) => result === undefined).length
  }

  test('refuses a password that would wait too long, and accepts again afterwards', async () => {
    // The clock stands still, so all passwords arrive before the first hash is done.
    const hasher = openHasher({ concurrency: 2, waitMsMax: 20, elapsed: () => 0 })
    const accepted = 30 - (await refusedOf(hasher, 30))
    expect(accepted).toBeGreaterThan(2)
    expect(accepted).toBeLessThan(20)
    expect(await refusedOf(hasher, 2)).toBe(0)
  })

  test('is as long as the last hashes allow', async () => {
    let nowMs = 0
    // Each hash takes 400 ms: the clock is read when a password arrives, when it starts and when it ends.
    let msPerReading = 0
    const elapsed = (): number => (nowMs += msPerReading)
    const hasher = openHasher({ waitMsMax: 1_000, elapsed })
    expect(await refusedOf(hasher, 20)).toBe(0)
    msPerReading = 200
    for (let n = 0; n < 20; n += 1) await hasher.verify(undefined, 'x', USERNAME)
    msPerReading = 0
    expect(await refusedOf(hasher, 20)).toBeGreaterThan(12)
    expect(hasher.isBusy()).toBe(false)
  })

  test('refuses a password that has waited too long, although it was expected to be in time', async () => {
    let nowMs = 0
    const hasher = openHasher({ waitMsMax: 1_000, elapsed: () => nowMs })
    const first = hasher.verify(undefined, 'x', USERNAME)
    const second = hasher.verify(undefined, 'x', USERNAME)
    nowMs = 1_001
    expect(await first).toBe(false)
    expect(await second).toBeUndefined()
    expect(await hasher.verify(undefined, 'x', USERNAME)).toBe(false)
  })

  test('continues after a hash that cannot be read', async () => {
    const hasher = openHasher()
    const broken = hasher.verify('not a hash', 'x', USERNAME)
    const next = hasher.verify(undefined, 'x', USERNAME)
    await expect(broken).rejects.toThrow()
    expect(await next).toBe(false)
    expect(await hasher.verify(undefined, 'x', USERNAME)).toBe(false)
  })

  test('that is full answers 503 with Retry-After at once, and the other requests log in', async () => {
    // Hashing is slow, so that all requests arrive while the first ones run.
    await using it = await openTestAuthority({
      argon2MemoryKib: 65_536,
      argon2Passes: 4,
      // Logins that are refused in this way count as no attempts. Otherwise the last ones would get 429.
      throttle: 'account=103/1h,source=103/1h,address=103/1h,login=999999/1s',
    })
    const body = { username: USERNAME, password: PASSWORD }
    const start = performance.now()
    const refusedAfterMs: number[] = []
    let loggedInAfterMs = 0
    const responses = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const response = await it.post('/api/token/', body)
        if (response.status === 503) refusedAfterMs.push(performance.now() - start)
        else loggedInAfterMs = performance.now() - start
        return response
      }),
    )
    const refused = responses.filter(({ status }) => status === 503)
    expect(refused.length).toBeGreaterThan(0)
    expect(refusedAfterMs.toSorted((a, b) => a - b)[0]).toBeLessThan(loggedInAfterMs)
    for (const response of refused) {
      expect(response.headers.get('retry-after')).toBe('1')
      expect(await response.json()).toEqual({
        detail: 'Too many logins at once. Try again shortly.',
      })
    }
    const granted = responses.filter(({ status }) => status === 200)
    expect(granted.length).toBeGreaterThan(0)
    expect(granted.length + refused.length).toBe(responses.length)
    expect(query(it.dataDir, 'SELECT id FROM sessions')).toHaveLength(granted.length)
    for (let n = 0; n < 5; n += 1) await it.login()
  })
})

describe('an account that does not exist', () => {
  test('costs a verification like any other, and gets the same answer', async () => {
    const verified: (string | undefined)[] = []
    await using it = await openTestSessions({
      hasher: {
        ...plainHasher,
        verify: (hash, password, key) => {
          verified.push(hash)
          return plainHasher.verify(hash, password, key)
        },
      },
    })
    for (const username of ['right', 'wrong', 'disabled', 'without']) {
      await it.accounts.create({ username, password: PASSWORD }, 'test')
    }
    await it.accounts.disable('disabled', 'test')
    execute(it.dataDir, `UPDATE accounts SET password_hash = NULL WHERE username = 'without'`)

    const attempts = ['right', 'wrong', 'disabled', 'without', 'nobody', '', '\u0000']
    const results = []
    for (const username of attempts) {
      const password = username === 'wrong' ? 'a wrong long password' : PASSWORD
      results.push(await signIn(it.services, { username, password }, HERE))
    }
    expect(verified).toEqual([PASSWORD, PASSWORD, PASSWORD, ...Array(4).fill(undefined)])
    expect(results[0]!.ok).toBe(true)
    for (const result of results.slice(1)) {
      expect(result).toEqual({ ok: false, code: 'credentials_invalid' })
    }
    expect(
      query(it.dataDir, `SELECT detail FROM audit WHERE outcome = 'refused'`).map(
        (row) => row['detail'],
      ),
    ).toEqual([
      'wrong_password',
      'account_disabled',
      'wrong_password',
      ...Array(3).fill('unknown_account'),
    ])
  })

  test('costs the current parameters', async ({ annotate }) => {
    const hasher = openHasher()
    const hash = (await hasher.hash(PASSWORD))!
    const medianMs = async (passwordHash: string | undefined): Promise<number> => {
      const times: number[] = []
      for (let n = 0; n < 31; n += 1) {
        const before = performance.now()
        expect(await hasher.verify(passwordHash, 'a wrong long password', USERNAME)).toBe(false)
        times.push(performance.now() - before)
      }
      return times.toSorted((a, b) => a - b)[15]!
    }
    const [known, unknown] = [await medianMs(hash), await medianMs(undefined)]
    // Only annotated, because the figure depends on the load of the machine.
    await annotate(`known ${known.toFixed(2)} ms, unknown ${unknown.toFixed(2)} ms`)
  })
})

describe('an unknown username, if the stored hashes differ in their cost', () => {
  // The imitated hash shows only in its time. So the parameters are out of bounds, and verifying with them
  // fails as unreadable.
  const UNREADABLE = '$argon2id$v=19$m=1,t=1,p=1$'

  test('costs as much as one of them, always the same one', async () => {
    const hasher = openHasher()
    const readable = (await hasher.hash(PASSWORD))!
    hasher.imitate([readable, `${UNREADABLE}c2FsdHNhbHRzYWx0$aGFzaA`])
    const verdictOf = async (key: string): Promise<string> => {
      try {
        return String(await hasher.verify(undefined, 'x', key))
      } catch {
        return 'unreadable'
      }
    }
    const keys = Array.from({ length: 24 }, (_, n) => `user${n}`)
    const verdicts = []
    for (const key of keys) verdicts.push(await verdictOf(key))
    expect(new Set(verdicts)).toEqual(new Set(['false', 'unreadable']))
    for (const [at, key] of keys.entries()) expect(await verdictOf(key)).toBe(verdicts[at])
  })

  test('costs the current parameters if no others are in use', async () => {
    const hasher = openHasher()
    hasher.imitate([])
    expect(await hasher.verify(undefined, 'x', 'anybody')).toBe(false)
  })
})
