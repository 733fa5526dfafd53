import { chainValue, type LogHead, type RevocationEntry } from '../../src/revocations/index.ts'

/** The head at which the logs of these tests begin. */
export const GENESIS: LogHead = { position: 0, chain: Buffer.alloc(32) }

/** Makes entries that follow a head: hard ends of sessions, unless the drafts say otherwise. */
export function entriesAfter(
  head: LogHead,
  drafts: readonly Partial<RevocationEntry>[],
): readonly RevocationEntry[] {
  return drafts.map((draft, index) => ({
    position: head.position + index + 1,
    kind: 'session',
    subject: 'ses_1',
    strength: 'hard',
    at: 1_795_000_000_000,
    ...draft,
  }))
}

/** Returns the chain value after entries that follow a head. */
export function lastChain(head: LogHead, entries: readonly RevocationEntry[]): Uint8Array {
  return entries.reduce<Uint8Array>((chain, entry) => chainValue(chain, entry), head.chain)
}
