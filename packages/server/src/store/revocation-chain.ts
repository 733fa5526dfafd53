import { createHash } from 'node:crypto'

import type { Revocation } from './rows.ts'

/**
 * The chain value of an entry: SHA-256 over the value before it and the entry itself. Two logs that
 * agree on a position and its chain value agree on everything up to there, so a store that lost its
 * last writes is recognised even when the positions look alike. Each text is preceded by its
 * length: without that, entries could be cut differently and hash the same.
 */
export function chainValue(previous: Uint8Array, entry: Omit<Revocation, 'chain'>): Buffer {
  const kind = Buffer.from(entry.kind)
  const subject = Buffer.from(entry.subject)
  const numbers = Buffer.alloc(25)
  numbers.writeBigUInt64BE(BigInt(entry.position), 0)
  numbers.writeBigUInt64BE(BigInt(entry.at), 8)
  numbers.writeUInt8(entry.strength === 'hard' ? 1 : 0, 16)
  numbers.writeUInt32BE(kind.length, 17)
  numbers.writeUInt32BE(subject.length, 21)
  return createHash('sha256').update(previous).update(numbers).update(kind).update(subject).digest()
}
