import { describe, expect, test } from 'vitest'

import type { OpenedBatch, WireBatch } from '@countersign/guard/revocations'
import { readEvidence } from '../src/revocations/evidence.ts'

const CHAIN = Buffer.alloc(32, 1).toString('base64url')

/** An empty batch, which proves a snapshot. It begins where it ends. */
const proof: WireBatch = { head: 'head', mac: 'mac', entries: [] }
const opened: OpenedBatch = {
  claims: { iss: 'x', iat: 1, after: 7, prev: CHAIN, last: 7, chain: CHAIN },
  entries: [],
  kid: 'k',
}

describe('evidence', () => {
  test('of many copies of an empty batch ends at its head, and only some copies are opened', async () => {
    let times = 0
    const open = (): OpenedBatch => {
      times += 1
      return opened
    }
    const evidence = await readEvidence(
      Array.from({ length: 50_000 }, () => proof),
      {
        open,
        sealer: { isOurs: () => true },
        pause: () => Promise.resolve(),
      },
    )
    expect(evidence).toMatchObject({ tip: { position: 7 }, entries: [] })
    expect(times).toBe(2)
  })
})
