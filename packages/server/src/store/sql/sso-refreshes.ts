import { decideGeneration, isChainOver } from '../decide-generation.ts'
import { nextGrace } from '../refresh.ts'
import type { SsoRefreshChain, SsoRefreshStore, SsoRotationRules } from '../sso.ts'
import { columnsOf } from './columns.ts'
import type { Database, Engine, GroupCommit, Row, Transaction } from './database.ts'
import { readPosition } from './revocations.ts'
import { readState, toGrace } from './session-rows.ts'

const chains = columnsOf('sso_refreshes')

/** Refresh tokens of applications in SQL. Rotations that arrive together share a transaction. */
export function createSsoRefreshStore(db: Database, together: GroupCommit): SsoRefreshStore {
  return {
    create: async (chain) => {
      await together.run(
        (tx) =>
          tx.run(
            `INSERT INTO sso_refreshes (id, session_id, grant_id, application_id, seed, created_at,
                                        ends_at, payload, ${MOVING.join(', ')})
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ${MOVING.map(() => '?').join(', ')})`,
            chain.id,
            chain.sessionId,
            chain.grantId,
            chain.applicationId,
            chain.seed,
            chain.createdAt,
            chain.endsAt,
            chain.payload,
            ...movingOf(chain),
          ),
        'none',
      )
    },

    read: async (chainId) =>
      db.read(async (tx) => {
        const position = await readPosition(tx)
        const row = await tx.get('SELECT * FROM sso_refreshes WHERE id = ?', chainId)
        if (row === undefined) return undefined
        const chain = toChain(row)
        return { chain, session: await readState(tx, chain.sessionId, position) }
      }),

    rotate: async (chainId, generation, rules) =>
      together.run((tx) => rotate(tx, chainId, generation, rules), 'none'),
  }
}

/** Reads a chain that nobody else changes until the transaction ends: SQLite has one writer at a time. */
const READ_TO_CHANGE: Readonly<Record<Engine, string>> = {
  sqlite: 'SELECT * FROM sso_refreshes WHERE id = ?',
  postgres: 'SELECT * FROM sso_refreshes WHERE id = ? FOR UPDATE',
}

/** The columns that a rotation changes. */
const MOVING = [
  'generation',
  'rotated_at',
  'grace_generation',
  'grace_began_at',
  'prior_generation',
  'prior_rotated_at',
  'expires_at',
] as const

const MOVE_ON = `
  UPDATE sso_refreshes SET ${MOVING.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`

async function rotate(
  tx: Transaction,
  chainId: string,
  presented: number,
  rules: SsoRotationRules,
): ReturnType<SsoRefreshStore['rotate']> {
  const row = await tx.get(READ_TO_CHANGE[tx.engine], chainId)
  if (row === undefined) return { kind: 'unknown' }
  const chain = toChain(row)
  const now = tx.nowMs()
  if (isChainOver(chain, now)) return { kind: 'expired' }
  const kind = decideGeneration(chain, presented, { ...rules, now })
  if (kind !== 'current') return { kind, chain }
  const next: SsoRefreshChain = {
    ...chain,
    generation: chain.generation + 1,
    rotatedAt: now,
    grace: nextGrace(chain, now, rules.graceMs),
    expiresAt: Math.min(now + rules.idleMs, chain.endsAt),
  }
  await tx.run(MOVE_ON, ...movingOf(next), chainId)
  return { kind: 'rotated', chain: next }
}

/** The values of {@link MOVING}. */
function movingOf({ generation, rotatedAt, grace, expiresAt }: SsoRefreshChain): readonly number[] {
  return [
    generation,
    rotatedAt,
    grace.generation,
    grace.beganAt,
    grace.priorGeneration,
    grace.priorRotatedAt,
    expiresAt,
  ]
}

function toChain(row: Row): SsoRefreshChain {
  return {
    id: chains.text(row, 'id'),
    sessionId: chains.text(row, 'session_id'),
    grantId: chains.text(row, 'grant_id'),
    applicationId: chains.text(row, 'application_id'),
    seed: chains.bytes(row, 'seed'),
    generation: chains.integer(row, 'generation'),
    createdAt: chains.integer(row, 'created_at'),
    rotatedAt: chains.integer(row, 'rotated_at'),
    grace: toGrace(row),
    expiresAt: chains.integer(row, 'expires_at'),
    endsAt: chains.integer(row, 'ends_at'),
    payload: chains.text(row, 'payload'),
  }
}
