import { chainValue } from '@countersign/guard/revocations'
import { expect } from 'vitest'

import { query, queryOne } from './database.ts'

/** The chain value of a log before its first entry. */
export function readChainStart(dataDir: string): Buffer {
  const head = queryOne(dataDir, 'SELECT origin FROM revocation_head')
  return Buffer.from(head['origin'] as Uint8Array)
}

/**
 * Recomputes the revocation log from its start and asserts that every position occurs once, every chain value
 * is right, and the head is the last entry. Returns the number of entries.
 */
export function expectWholeLog(dataDir: string, start: Uint8Array): number {
  const rows = query(dataDir, 'SELECT * FROM revocations ORDER BY position')
  let chain: Uint8Array = start
  for (const [index, row] of rows.entries()) {
    const { position, kind, subject, at } = row
    expect(position).toBe(index + 1)
    chain = chainValue(chain, {
      position: index + 1,
      kind: kind as 'session' | 'account',
      subject: String(subject),
      strength: row['hard'] === 1 ? 'hard' : 'soft',
      at: Number(at),
    })
    expect(Buffer.from(row['chain'] as Uint8Array)).toEqual(chain)
  }
  const head = queryOne(dataDir, 'SELECT position, chain FROM revocation_head')
  expect(head['position']).toBe(rows.length)
  expect(Buffer.from(head['chain'] as Uint8Array)).toEqual(Buffer.from(chain))
  return rows.length
}
