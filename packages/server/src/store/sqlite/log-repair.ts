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
import type { SqliteDatabase } from './database.ts'
import {
  appendAt,
  appendRevocation,
  readAfter,
  readChainAt,
  readHead,
  readIssuerOfStartOver,
  readOldest,
} from './revocations.ts'

const headColumns = columnsOf('revocation_head')
const keys = columnsOf('keys')

/** Repairs the log: see `RevocationStore.repair`. Call it inside a transaction. */
export function repair(db: SqliteDatabase, evidence: LossEvidence, by: RepairBy): RepairOutcome {
  const decision = decideRepair(evidence, knowledge(db))
  switch (decision.kind) {
    case 'nothing':
    case 'too_far':
      return { kind: decision.kind, position: readHead(db).position, recovered: 0 }
    case 'start_over':
      settle(db, [evidence.tip])
      jump(db, decision.jumps, by.at)
      return beginAnew(db, by)
    case 'rejoin':
      return rejoin(db, decision, by)
  }
}

/** Starts the log over: see `RevocationStore.startOver`. Call it inside a transaction. */
export function startOver(
  db: SqliteDatabase,
  lost: number,
  expected: LogHead,
  by: RepairBy,
  restored?: { readonly killed: readonly string[] },
): RepairOutcome {
  const head = readHead(db)
  if (head.position !== expected.position || Buffer.compare(head.chain, expected.chain) !== 0) {
    return { kind: 'head_moved', position: head.position, recovered: 0 }
  }
  const jumps = jumpsAbove(lost, head.position)
  if (jumps > JUMPS_MAX && restored === undefined) {
    return { kind: 'too_far', position: head.position, recovered: 0 }
  }
  jump(db, jumps, by.at)
  const outcome = beginAnew(db, by)
  for (const kid of restored?.killed ?? []) killAgain(db, kid, by)
  return outcome
}

/** Revokes everything of another issuer: see `RevocationStore.startOverAs`. Call it inside a transaction. */
export function startOverAs(db: SqliteDatabase, by: RepairBy): RepairOutcome {
  const named = readIssuerOfStartOver(db)
  if (named === undefined || named === by.issuer) {
    return { kind: 'nothing', position: readHead(db).position, recovered: 0 }
  }
  jump(db, 1, by.at)
  return endAll(db, by)
}

/**
 * Makes everybody log in again, and kills every key that signs access tokens. The lost entries may have
 * killed any of these keys, and a thief may have a killed key.
 */
function beginAnew(db: SqliteDatabase, by: RepairBy): RepairOutcome {
  const outcome = endAll(db, by)
  const kids = db.all(`SELECT kid FROM keys WHERE use = 'access' AND state <> 'revoked'`)
  for (const row of kids) killAgain(db, keys.text(row, 'kid'), by)
  return { ...outcome, position: readHead(db).position }
}

function endAll(db: SqliteDatabase, by: RepairBy): RepairOutcome {
  const { issuer, at } = by
  const position = appendAndApply(db, { kind: 'issuer', subject: issuer, strength: 'hard', at })
  audit(db, 'log_started_over', by, position)
  return { kind: 'start_over', position, recovered: 0 }
}

/** Kills a key that may have been killed after this copy was made, because a thief may still have it. */
function killAgain(db: SqliteDatabase, kid: string, { at, actor }: RepairBy): void {
  const isKnown = db.get(`SELECT 1 FROM keys WHERE kid = ? AND state = 'revoked'`, kid)
  if (isKnown !== undefined) return
  appendAndApply(db, { kind: 'key', subject: kid, strength: 'soft', at })
  auditChange(db, undefined, 'key_killed', { at, actor }, kid)
}

function rejoin(
  db: SqliteDatabase,
  { jumpsFrom, jumps, lost }: Extract<RepairDecision, { kind: 'rejoin' }>,
  by: RepairBy,
): RepairOutcome {
  if (jumpsFrom !== undefined) {
    // Tokens of the lost branch carry positions above our own newer entries. So these entries are written
    // again, above those positions.
    const own = readAfter(db, jumpsFrom, -1).filter(({ kind }) => kind !== 'jump')
    jump(db, jumps, by.at)
    for (const { kind, subject, strength, at } of own) {
      appendRevocation(db, kind, subject, strength, at)
    }
  }
  for (const entry of lost) if (entry.kind !== 'jump') appendAndApply(db, entry)
  settle(db, lost)
  const { position } = readHead(db)
  audit(db, 'log_repaired', by, position)
  return { kind: 'rejoin', position, recovered: lost.length }
}

/** Skips positions, which is the only gap that the log may have. After it, no position has two meanings. */
function jump(db: SqliteDatabase, times: number, at: EpochMs): void {
  for (let count = 0; count < times; count++) {
    const position = readHead(db).position + JUMP_POSITIONS
    appendAt(db, position, { kind: 'jump', subject: 'log', strength: 'soft', at })
  }
}

/** Appends an entry and applies it to the rows, so that sessions end like their tokens. */
function appendAndApply(db: SqliteDatabase, entry: Omit<Revocation, 'position' | 'chain'>): number {
  const { kind, subject, strength, at } = entry
  const position = appendRevocation(db, kind, subject, strength, at)
  if (kind === 'key') {
    db.run(`UPDATE keys SET state = 'revoked', sealed = x'' WHERE kid = ?`, subject)
  }
  if (strength === 'soft') return position
  switch (kind) {
    case 'session':
      db.run('UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL', at, subject)
      break
    case 'account':
      db.run('UPDATE accounts SET hard_position = ? WHERE id = ?', position, subject)
      break
    case 'tenant':
      db.run('UPDATE tenants SET hard_position = ? WHERE id = ?', position, subject)
      break
    case 'client':
      db.run('UPDATE clients SET hard_position = ? WHERE id = ?', position, subject)
      break
    case 'issuer':
      // This updates many rows, but it is rare, and it saves every sign-in and refresh a comparison.
      db.run('UPDATE accounts SET hard_position = ?', position)
      db.run('UPDATE clients SET hard_position = ?', position)
      db.run('UPDATE revocation_head SET started_over_at = ? WHERE id = 1', at)
      break
    default:
  }
  return position
}

function settle(db: SqliteDatabase, heads: readonly LogHead[]): void {
  for (const { position, chain } of heads) {
    db.run(
      'INSERT INTO lost_heads (position, chain) VALUES (?, ?) ON CONFLICT DO NOTHING',
      position,
      chain,
    )
  }
}

function knowledge(db: SqliteDatabase): LogKnowledge {
  const startedOver = db.get('SELECT started_over_at FROM revocation_head WHERE id = 1')
  return {
    head: readHead(db),
    oldest: readOldest(db),
    startedOverAt: headColumns.integer(startedOver ?? {}, 'started_over_at'),
    chainAt: (position) => readChainAt(db, position),
    isSettled: ({ position, chain }) =>
      db.get('SELECT 1 FROM lost_heads WHERE position = ? AND chain = ?', position, chain) !==
      undefined,
  }
}

function audit(
  db: SqliteDatabase,
  event: AuditEvent,
  { at, actor }: RepairBy,
  position: number,
): void {
  auditChange(db, undefined, event, { at, actor }, String(position))
}
