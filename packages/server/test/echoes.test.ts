import type { LogHead } from '@countersign/guard/revocations'
import { expect, test } from 'vitest'

import { askEveryMs, Echoes } from '../src/revocations/echoes.ts'
import { Subscriber } from '../src/revocations/subscriber.ts'
import { ManualTimers } from './support/manual-timers.ts'

interface Sent {
  readonly guard: string
  readonly text: string
}

function open(connections: number): {
  readonly timers: ManualTimers
  readonly echoes: Echoes
  readonly sent: Sent[]
  readonly subscribers: readonly Subscriber[]
  readonly reads: () => number
} {
  const timers = new ManualTimers()
  const sent: Sent[] = []
  let reads = 0
  const head: LogHead = { position: 7, chain: Buffer.alloc(32, 1) }
  const { elapsed, after } = timers
  const echoes = new Echoes({
    elapsed,
    after,
    nowMs: () => 1_795_000_000_000,
    freshHead: async () => {
      reads += 1
      return head
    },
    isHeld: () => false,
    reading: () => {},
    connections: () => connections,
    send: ({ guard }, messages) => {
      for (const message of messages) sent.push({ guard, text: message.toString() })
    },
  })
  const link = { send: () => {}, heldBackBytes: 0, isAllowed: () => true, end: () => {} }
  const subscribers = Array.from({ length: connections }, (_, n) => new Subscriber(`g${n}`, link))
  return { timers, echoes, sent, subscribers, reads: () => reads }
}

test('a lone nonce is answered at once, with the clock and the pace of the authority', async () => {
  const { echoes, sent, subscribers } = open(1)
  for (const each of subscribers) echoes.add(each, 'n'.repeat(22))
  await echoes.answer()
  expect(sent.map(({ text }) => JSON.parse(text) as unknown)).toEqual([
    {
      type: 'echo',
      nonce: 'n'.repeat(22),
      position: 7,
      chain: Buffer.alloc(32, 1).toString('base64url'),
      at: 1_795_000_000_000,
      ask_ms: 500,
    },
  ])
})

test('the nonces of many guards share one read of the head, and each gets its own echo', async () => {
  const { timers, echoes, sent, subscribers, reads } = open(2_000)
  const answers = subscribers.map((each, index) => {
    echoes.add(each, `nonce-of-guard-${index}`)
    return echoes.answer()
  })
  for (let step = 0; step < 20; step++) await timers.advance(1)
  await Promise.all(answers)
  expect(reads()).toBe(1)
  expect(
    sent.map(({ guard, text }) => [guard, (JSON.parse(text) as { nonce: string }).nonce]),
  ).toEqual(subscribers.map(({ guard }, index) => [guard, `nonce-of-guard-${index}`]))
})

test('a nonce is answered with a head that is read after it arrived, at most twenty times a second', async () => {
  const { timers, echoes, subscribers, reads } = open(1)
  const [subscriber] = subscribers
  if (subscriber === undefined) throw new Error('no subscriber')
  echoes.add(subscriber, 'the-first-nonce-of-1')
  await echoes.answer()
  echoes.add(subscriber, 'the-second-nonce-of-1')
  const second = echoes.answer()
  await timers.advance(49)
  expect(reads()).toBe(1)
  await timers.advance(1)
  await second
  expect(reads()).toBe(2)
})

test('more than 64 waiting nonces of one connection are too many', () => {
  const { echoes, subscribers } = open(1)
  const [subscriber] = subscribers
  if (subscriber === undefined) throw new Error('no subscriber')
  const added = Array.from({ length: 65 }, (_, n) => echoes.add(subscriber, `a-waiting-nonce-${n}`))
  expect(added.indexOf(false)).toBe(64)
})

test.each([
  [0, 500],
  [2_500, 500],
  [5_000, 1_000],
  [7_500, 1_500],
  [100_000, 1_500],
])('%i guards ask every %i ms', (guards, ms) => {
  expect(askEveryMs(guards)).toBe(ms)
})
