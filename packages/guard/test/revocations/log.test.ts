import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  chainValue,
  decideStanding,
  JUMP_POSITIONS,
  REVOCATION_KINDS,
  type RevocationEntry,
  type RevocationKind,
  RevocationLog,
  type TokenSubjects,
} from '../../src/revocations/index.ts'
import {
  createSubjectHasher,
  KIND_CODES,
  PEEKED,
  type SubjectHash,
  WatermarkTable,
} from '../../src/revocations/watermarks.ts'
import { entriesAfter, GENESIS, lastChain } from '../support/revocations.ts'

const RETAIN_MS = 300_000
const KINDS = REVOCATION_KINDS.filter((kind) => kind !== 'jump')

function newLog(): RevocationLog {
  return new RevocationLog(GENESIS, { retainMs: RETAIN_MS })
}

/** Applies the entries one by one, as if each entry had arrived in its own batch. */
function take(log: RevocationLog, drafts: readonly Partial<RevocationEntry>[], nowMs = 0): void {
  const head = { position: log.position, chain: log.chain }
  const entries = entriesAfter(head, drafts)
  expect(log.apply(entries, lastChain(head, entries), nowMs)).toBeUndefined()
}

describe('chainValue', () => {
  test('depends on every part of an entry and on the previous chain value', () => {
    const entry: RevocationEntry = {
      position: 7,
      kind: 'session',
      subject: 'ses_1',
      strength: 'hard',
      at: 1_000,
    }
    const values = [
      chainValue(GENESIS.chain, entry),
      chainValue(Buffer.alloc(32, 1), entry),
      chainValue(GENESIS.chain, { ...entry, position: 8 }),
      chainValue(GENESIS.chain, { ...entry, kind: 'account' }),
      chainValue(GENESIS.chain, { ...entry, subject: 'ses_2' }),
      chainValue(GENESIS.chain, { ...entry, strength: 'soft' }),
      chainValue(GENESIS.chain, { ...entry, at: 1_001 }),
      // The same characters, split in another place.
      chainValue(GENESIS.chain, { ...entry, kind: 'sessio' as 'session', subject: 'nses_1' }),
    ].map((value) => value.toString('hex'))
    expect(new Set(values).size).toBe(values.length)
  })
})

describe('a log', () => {
  test('finds the newest mark of each subject, like a plain map', () => {
    const draft = fc.record({
      kind: fc.constantFrom(...KINDS),
      subject: fc.constantFrom('a', 'b', 'c', 'd', 'é', 'long'.repeat(40)),
      strength: fc.constantFrom('hard' as const, 'soft' as const),
    })
    fc.assert(
      fc.property(fc.array(fc.array(draft, { maxLength: 20 }), { maxLength: 8 }), (batches) => {
        const log = newLog()
        const marks = new Map<string, number>()
        for (const batch of batches) {
          const from = log.position
          take(log, batch)
          for (const [index, { kind, subject, strength }] of batch.entries()) {
            const position = from + index + 1
            marks.set(`${kind}/${subject}`, position * 2 + (strength === 'hard' ? 1 : 0))
          }
        }
        for (const kind of KINDS) {
          for (const subject of ['a', 'b', 'c', 'd', 'é', 'long'.repeat(40), 'other']) {
            expect(log.find(kind, subject)).toBe(marks.get(`${kind}/${subject}`) ?? 0)
          }
        }
      }),
    )
  })

  test('applies a batch completely or not at all', () => {
    const log = newLog()
    take(log, [{ subject: 'a' }])
    const head = { position: log.position, chain: log.chain }
    const next = entriesAfter(head, [{ subject: 'b' }, { subject: 'c' }])

    expect(log.apply(next.slice(1), lastChain(head, next), 0)).toBe('gap')
    expect(log.apply(next, Buffer.alloc(32), 0)).toBe('chain_differs')
    const changed = [next[0]!, { ...next[1]!, subject: 'x' }]
    expect(log.apply(changed, lastChain(head, next), 0)).toBe('chain_differs')
    expect(log.position).toBe(1)
    expect(log.find('session', 'b')).toBe(0)
  })

  test('skips positions only before a jump, and at most a million of them', () => {
    const log = newLog()
    const head = { position: log.position, chain: log.chain }
    const jumpTo = (position: number, kind: RevocationKind): RevocationEntry => ({
      position,
      kind,
      subject: 'log',
      strength: 'soft',
      at: 0,
    })
    const apply = (entry: RevocationEntry): unknown =>
      log.apply([entry], chainValue(head.chain, entry), 0)

    expect(apply(jumpTo(2, 'session'))).toBe('gap')
    expect(apply(jumpTo(JUMP_POSITIONS + 1, 'jump'))).toBe('gap')
    expect(apply(jumpTo(0, 'jump'))).toBe('gap')
    expect(apply(jumpTo(JUMP_POSITIONS, 'jump'))).toBeUndefined()
    expect(log.position).toBe(JUMP_POSITIONS)
  })

  test('drops entries that no live token can predate, and raises the floor', () => {
    const log = newLog()
    take(log, [{ subject: 'first' }], 0)
    take(log, [{ subject: 'second' }], RETAIN_MS / 2 + 1)
    log.tick(RETAIN_MS)
    expect(log.find('session', 'first')).toBe(3)
    expect(log.floor).toBe(0)

    // Its period was closed when the second one began. From then on it is kept for the full time.
    log.tick(RETAIN_MS * 1.5 + 2)
    expect(log.find('session', 'first')).toBe(0)
    expect(log.floor).toBe(1)
    expect(log.find('session', 'second')).toBe(5)

    log.tick(RETAIN_MS * 4)
    log.tick(RETAIN_MS * 6)
    expect(log.find('session', 'second')).toBe(0)
    expect(log.floor).toBe(2)
    expect(log.size.entries).toBe(0)
  })

  test('never drops an entry too early, whatever the clock does', () => {
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: RETAIN_MS }), count: fc.nat(3) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const log = newLog()
        const applied: { subject: string; atMs: number; position: number }[] = []
        let nowMs = 0
        for (const { afterMs, count } of steps) {
          nowMs += afterMs
          const drafts = Array.from({ length: count }, (_, n) => ({
            subject: `${nowMs}/${n}/${log.position}`,
          }))
          take(log, drafts, nowMs)
          drafts.forEach(({ subject }, n) =>
            applied.push({ subject, atMs: nowMs, position: log.position - count + n + 1 }),
          )
          log.tick(nowMs)
          for (const { subject, atMs, position } of applied) {
            const held = log.find('session', subject) !== 0
            if (nowMs - atMs < RETAIN_MS) expect(held).toBe(true)
            // Dropped entries lie below the floor, so nothing is forgotten silently.
            if (!held) expect(log.floor).toBeGreaterThanOrEqual(position)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  test('works beyond 2^32 positions', () => {
    const far = { position: 2 ** 40, chain: Buffer.alloc(32, 5) }
    const log = new RevocationLog(far, { retainMs: RETAIN_MS })
    take(log, [{ subject: 'a' }, { subject: 'b', strength: 'soft' }])
    expect(log.find('session', 'a')).toBe((2 ** 40 + 1) * 2 + 1)
    expect(log.find('session', 'b')).toBe((2 ** 40 + 2) * 2)
  })
})

/** Looks up a subject as the log does: first `peek`, then the search from there. */
function look(table: WatermarkTable, subject: SubjectHash): number {
  const peeked = new Uint32Array(PEEKED)
  table.peek(subject, peeked, 0)
  const [home = 0, word] = peeked
  const mark = table.find(subject, home)
  if (word === 0) expect(mark).toBe(0)
  return mark
}

describe('a table of watermarks', () => {
  test('finds each of 200,000 subjects while it grows, and no subject that is not there', () => {
    const hash = createSubjectHasher(Uint32Array.of(1, 2))
    const table = new WatermarkTable(100)
    const count = 200_000
    for (let n = 0; n < count; n++)
      table.raise(hash(KIND_CODES.session, `ses_${n}`), 101 + n, n % 2 === 1)
    const wrong: number[] = []
    for (let n = 0; n < count; n++) {
      if (look(table, hash(KIND_CODES.session, `ses_${n}`)) !== (101 + n) * 2 + (n % 2))
        wrong.push(n)
      if (look(table, hash(KIND_CODES.account, `ses_${n}`)) !== 0) wrong.push(-n)
    }
    expect(wrong).toEqual([])
    expect(table.count).toBe(count)
    table.seal()
    expect(table.bytes / count).toBeLessThan(14.4)
    expect(look(table, hash(KIND_CODES.session, 'ses_77'))).toBe(178 * 2 + 1)
  })

  test('behaves like a map even if all hashes are equal or at its end', () => {
    const fingerprint = fc.oneof(
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 2 ** 32 - 40, max: 2 ** 32 - 1 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    )
    const subject = fc.record({ fingerprint, extra: fc.integer({ min: 0, max: 0xffff }) })
    const subjects = fc.array(subject, { maxLength: 400, size: 'max' })
    fc.assert(
      fc.property(subjects, fc.array(subject), (raised, others) => {
        const table = new WatermarkTable(0)
        const expected = new Map<string, number>()
        const keyOf = (each: { fingerprint: number; extra: number }): string =>
          `${each.fingerprint}/${each.extra}`
        for (const [index, each] of raised.entries()) {
          table.raise(each, index + 1, index % 2 === 1)
          expected.set(keyOf(each), (index + 1) * 2 + (index % 2))
        }
        for (const seal of [false, true]) {
          if (seal) table.seal()
          for (const each of [...raised, ...others]) {
            const mark = expected.get(keyOf(each)) ?? 0
            expect(look(table, each)).toBe(mark)
          }
        }
        expect(table.count).toBe(expected.size)
      }),
      { numRuns: 60 },
    )
  })

  test('does not hold a position that is 2^31 or more above its base', () => {
    const table = new WatermarkTable(10)
    expect(table.holds(10 + 0x7fff_ffff)).toBe(true)
    expect(table.holds(11 + 0x7fff_ffff)).toBe(false)
  })
})

describe('decideStanding', () => {
  const token: TokenSubjects = {
    rvp: 2,
    iss: 'https://auth.example',
    sub: 'acct_1',
    sid: 'ses_1',
    jti: 'jti_1',
    tid: 'ten_1',
    client_id: 'first-party',
  }
  const subjects: readonly [RevocationKind, string][] = [
    ['issuer', token.iss],
    ['tenant', 'ten_1'],
    ['client', 'first-party'],
    ['account', 'acct_1'],
    ['session', 'ses_1'],
    ['token', 'jti_1'],
  ]

  function logWith(drafts: readonly Partial<RevocationEntry>[]): RevocationLog {
    const log = newLog()
    take(log, [{ subject: 'x' }, { subject: 'y' }, ...drafts])
    return log
  }

  test.each(subjects)('ends the session for a hard entry of its %s', (kind, subject) => {
    expect(decideStanding(token, logWith([{ kind, subject }]))).toBe('session_ended')
  })

  test.each(subjects)('calls the token out of date for a soft entry of its %s', (kind, subject) => {
    expect(decideStanding(token, logWith([{ kind, subject, strength: 'soft' }]))).toBe(
      'token_stale',
    )
  })

  test.each(subjects)(
    'accepts a token that was issued after the entry of its %s',
    (kind, subject) => {
      expect(decideStanding({ ...token, rvp: 3 }, logWith([{ kind, subject }]))).toBe('stands')
    },
  )

  test.each(subjects)(
    'ignores another %s, and the same name under another kind',
    (kind, subject) => {
      const others = KINDS.filter((other) => other !== kind).map((other) => ({
        kind: other,
        subject,
      }))
      const same = token.client_id === subject ? [] : [{ kind, subject: `${subject}0` }]
      expect(decideStanding(token, logWith([...others, ...same]))).toBe('stands')
    },
  )

  test('hard takes precedence over soft, in either order', () => {
    const soft = { kind: 'account', subject: 'acct_1', strength: 'soft' } as const
    const hard = { kind: 'session', subject: 'ses_1' } as const
    expect(decideStanding(token, logWith([soft, hard]))).toBe('session_ended')
    expect(decideStanding(token, logWith([hard, soft]))).toBe('session_ended')
  })

  test('a token from below the floor is out of date', () => {
    const log = new RevocationLog({ position: 3, chain: GENESIS.chain }, { retainMs: RETAIN_MS })
    take(log, [{ subject: 'z' }])
    expect(decideStanding(token, log)).toBe('token_stale')
    expect(decideStanding({ ...token, rvp: 3 }, log)).toBe('stands')
  })

  test('the token of a service account has no session to look up', () => {
    const { sid: _, tid: __, ...machine } = token
    expect(decideStanding(machine, logWith([{ subject: 'undefined' }]))).toBe('stands')
  })
})
