import { JUMP_POSITIONS, type LogHead } from '@countersign/guard/revocations/entry'

import type { EpochMs } from '../../base/clock.ts'
import {
  decideRepair,
  JUMPS_MAX,
  jumpsAbove,
  type LogKnowledge,
  type LossEvidence,
  type RepairBy,
  type RepairDecision,
  type RepairOutcome,
} from '../repair.ts'
import type { AuditEvent, Revocation } from '../rows.ts'
import { auditChange } from './audit.ts'
import { columnsOf } from './columns.ts'
import type { Transaction } from './database.ts'
import { failWaiting } from './mail.ts'
import {
  appendAt,
  appendRevocation,
  readAfter,
  readHead,
  readIssuerOfStartOver,
  readOldest,
  readStartOver,
  toHead,
} from './revocations.ts'
import { removeGrantsOfApplication, voidGrants } from './sso-rows.ts'

const headColumns = columnsOf('revocation_head')
const keys = columnsOf('keys')

/** The sealed bytes of a key that was killed. */
const ERASED = new Uint8Array(0)

/** Repairs the log: see `RevocationStore.repair`. Call it inside a transaction. */
export async function repair(
  tx: Transaction,
  evidence: LossEvidence,
  by: RepairBy,
): Promise<RepairOutcome> {
  const decision = decideRepair(evidence, await knowledge(tx, evidence))
  switch (decision.kind) {
    case 'nothing':
    case 'too_far':
      return { kind: decision.kind, position: (await readHead(tx)).position, recovered: 0 }
    case 'start_over':
      await settle(tx, [evidence.tip])
      await jump(tx, decision.jumps, by.at)
      return beginAnew(tx, by)
    case 'rejoin':
      return rejoin(tx, decision, by)
  }
}

/** Starts the log over: see `RevocationStore.startOver`. Call it inside a transaction. */
export async function startOver(
  tx: Transaction,
  lost: number,
  expected: LogHead,
  by: RepairBy,
  restored?: { readonly killed: readonly string[] },
): Promise<RepairOutcome> {
  const head = await readHead(tx)
  if (head.position !== expected.position || Buffer.compare(head.chain, expected.chain) !== 0) {
    return { kind: 'head_moved', position: head.position, recovered: 0 }
  }
  const jumps = jumpsAbove(lost, head.position)
  if (jumps > JUMPS_MAX && restored === undefined) {
    return { kind: 'too_far', position: head.position, recovered: 0 }
  }
  if (restored !== undefined) await voidUnfinished(tx, by.at)
  await jump(tx, jumps, by.at)
  const outcome = await beginAnew(tx, by)
  for (const kid of restored?.killed ?? []) await killAgain(tx, kid, by)
  return outcome
}

/**
 * Voids the mails, mailed codes and invitations of a backup, and what applications had been granted. Since it was made,
 * a mail may have been sent, a code used, an invitation withdrawn, and a grant revoked.
 */
async function voidUnfinished(tx: Transaction, at: EpochMs): Promise<void> {
  await failWaiting(tx, 'database_restored', at)
  await tx.run('DELETE FROM mail_codes')
  await tx.run("UPDATE invitations SET state = 'withdrawn' WHERE state = 'open'")
  await voidGrants(tx)
}

/** Revokes everything of another issuer: see `RevocationStore.startOverAs`. Call it inside a transaction. */
export async function startOverAs(tx: Transaction, by: RepairBy): Promise<RepairOutcome> {
  const named = await readIssuerOfStartOver(tx)
  if (named === undefined || named === by.issuer) {
    return { kind: 'nothing', position: (await readHead(tx)).position, recovered: 0 }
  }
  await jump(tx, 1, by.at)
  return endAll(tx, by)
}

/**
 * Makes everybody log in again, and kills every key that signs access tokens. The lost entries may have
 * killed any of these keys, and a thief may have a killed key.
 */
async function beginAnew(tx: Transaction, by: RepairBy): Promise<RepairOutcome> {
  const outcome = await endAll(tx, by)
  const kids = await tx.all(`SELECT kid FROM keys WHERE use = 'access' AND state <> 'revoked'`)
  for (const row of kids) await killAgain(tx, keys.text(row, 'kid'), by)
  return { ...outcome, position: (await readHead(tx)).position }
}

async function endAll(tx: Transaction, by: RepairBy): Promise<RepairOutcome> {
  const { issuer, at } = by
  const position = await appendAndApply(tx, {
    kind: 'issuer',
    subject: issuer,
    strength: 'hard',
    at,
  })
  await audit(tx, 'log_started_over', by, position)
  return { kind: 'start_over', position, recovered: 0 }
}

/** Kills a key that may have been killed after this copy was made, because a thief may still have it. */
async function killAgain(tx: Transaction, kid: string, { at, actor }: RepairBy): Promise<void> {
  const isKnown = await tx.get(`SELECT 1 FROM keys WHERE kid = ? AND state = 'revoked'`, kid)
  if (isKnown !== undefined) return
  await appendAndApply(tx, { kind: 'key', subject: kid, strength: 'soft', at })
  await auditChange(tx, undefined, 'key_killed', { at, actor }, kid)
}

async function rejoin(
  tx: Transaction,
  { jumpsFrom, jumps, lost }: Extract<RepairDecision, { kind: 'rejoin' }>,
  by: RepairBy,
): Promise<RepairOutcome> {
  if (jumpsFrom !== undefined) {
    // Tokens of the lost branch carry positions above our own newer entries. So these entries are written
    // again, above those positions.
    const own = (await readAfter(tx, jumpsFrom, -1)).filter(({ kind }) => kind !== 'jump')
    await jump(tx, jumps, by.at)
    for (const { kind, subject, strength, at } of own) {
      await appendRevocation(tx, kind, subject, strength, at)
    }
  }
  for (const entry of lost) if (entry.kind !== 'jump') await appendAndApply(tx, entry)
  await settle(tx, lost)
  const { position } = await readHead(tx)
  await audit(tx, 'log_repaired', by, position)
  return { kind: 'rejoin', position, recovered: lost.length }
}

/** Skips positions, which is the only gap that the log may have. After it, no position has two meanings. */
async function jump(tx: Transaction, times: number, at: EpochMs): Promise<void> {
  for (let count = 0; count < times; count++) {
    const position = (await readHead(tx)).position + JUMP_POSITIONS
    await appendAt(tx, position, { kind: 'jump', subject: 'log', strength: 'soft', at })
  }
}

/** Appends an entry and applies it to the rows, so that sessions end like their tokens. */
async function appendAndApply(
  tx: Transaction,
  entry: Omit<Revocation, 'position' | 'chain'>,
): Promise<number> {
  const { kind, subject, strength, at } = entry
  const position = await appendRevocation(tx, kind, subject, strength, at)
  if (kind === 'key') {
    await tx.run(`UPDATE keys SET state = 'revoked', sealed = ? WHERE kid = ?`, ERASED, subject)
  }
  if (strength === 'soft') return position
  switch (kind) {
    case 'session':
      await tx.run(
        'UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL',
        at,
        subject,
      )
      break
    case 'account':
      await tx.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, subject)
      break
    case 'tenant':
      await tx.run('UPDATE tenants SET hard_position = ? WHERE id = ?', position, subject)
      break
    case 'client':
      await tx.run('UPDATE clients SET hard_position = ? WHERE id = ?', position, subject)
      await removeGrantsOfApplication(tx, subject)
      break
    case 'issuer':
      // This updates many rows, but it is rare, and it saves every sign-in and refresh a comparison.
      await tx.runLong('UPDATE accounts SET hard_position = ?', position)
      await tx.run('UPDATE clients SET hard_position = ?', position)
      await tx.run('UPDATE revocation_head SET started_over_at = ? WHERE id = 1', at)
      break
    default:
  }
  return position
}

async function settle(tx: Transaction, heads: readonly LogHead[]): Promise<void> {
  for (const { position, chain } of heads) {
    await tx.run(
      'INSERT INTO lost_heads (position, chain) VALUES (?, ?) ON CONFLICT DO NOTHING',
      position,
      chain,
    )
  }
}

/** Reads what is known of our own log between the ends of the evidence. */
async function knowledge(
  tx: Transaction,
  { start, entries, tip }: LossEvidence,
): Promise<LogKnowledge> {
  const startedOver = await tx.get('SELECT started_over_at FROM revocation_head WHERE id = 1')
  const oldest = await readOldest(tx)
  const positions = [start, ...entries, tip].map(({ position }) => position)
  const range = [Math.min(...positions), Math.max(...positions)] as const
  const heads = async (table: 'revocations' | 'lost_heads'): Promise<LogHead[]> =>
    (
      await tx.all(`SELECT position, chain FROM ${table} WHERE position BETWEEN ? AND ?`, ...range)
    ).map(toHead)
  const own = new Map((await heads('revocations')).map(({ position, chain }) => [position, chain]))
  const settled = new Set((await heads('lost_heads')).map(nameHead))
  return {
    head: await readHead(tx),
    oldest,
    startedOverAt: headColumns.integer(startedOver ?? {}, 'started_over_at'),
    startedOverPosition: (await readStartOver(tx))?.position ?? 0,
    chainAt: (position) =>
      own.get(position) ?? (position === oldest.position ? oldest.chain : undefined),
    isSettled: (head) => settled.has(nameHead(head)),
  }
}

function nameHead({ position, chain }: LogHead): string {
  return `${position}/${Buffer.from(chain).toString('base64')}`
}

async function audit(
  tx: Transaction,
  event: AuditEvent,
  { at, actor }: RepairBy,
  position: number,
): Promise<void> {
  await auditChange(tx, undefined, event, { at, actor }, String(position))
}
