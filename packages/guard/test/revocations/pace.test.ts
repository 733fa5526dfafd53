import { expect, test } from 'vitest'

import { RevocationFeed } from '../../src/revocations/index.ts'

function createFeed(): RevocationFeed {
  let nonces = 0
  return new RevocationFeed({
    issuer: 'https://auth.example.com',
    elapsed: () => 0,
    clock: () => 0,
    nonce: () => `a-nonce-of-this-test-${nonces++}`,
  })
}

test.each([
  [undefined, 500],
  [0, 500],
  [499, 500],
  [900, 900],
  [1_500, 1_500],
  [60_000, 1_500],
])('a guard that is told to ask every %s ms asks every %i ms', (askMs, expected) => {
  const feed = createFeed()
  const echo = { type: 'echo', nonce: 'x'.repeat(22), position: 0, chain: 'A'.repeat(43) }
  expect(feed.receive(JSON.stringify({ ...echo, ask_ms: askMs }))).toMatchObject({ ok: true })
  expect(feed.askEveryMs).toBe(expected)
})

test.each([-1, 0.5, '500', null])('a pace of %j makes an echo malformed', (askMs) => {
  const echo = { type: 'echo', nonce: 'x'.repeat(22), position: 0, chain: 'A'.repeat(43) }
  expect(createFeed().receive(JSON.stringify({ ...echo, ask_ms: askMs }))).toMatchObject({
    ok: false,
    code: 'feed_malformed',
  })
})
