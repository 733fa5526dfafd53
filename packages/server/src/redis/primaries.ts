import type { Redis } from 'ioredis'

import type { RedisConnection } from './connect.ts'

/** A server that accepts writes, as it describes itself. */
export interface RedisPrimary {
  readonly redis: Redis
  /** Its answer to INFO. */
  readonly info: string
  /** Changes with every restart and every failover, after which the newest writes may be lost. */
  readonly identity: string
  /** In a cluster, keys with this hash tag are on this server. Otherwise empty. */
  readonly tag: string
}

const SLOTS = 16_384

/**
 * Finds all servers that accept writes: one, or the primaries of a cluster. Rejects while a part of the cluster has no
 * primary, or two.
 */
export async function primariesOf(connection: RedisConnection): Promise<readonly RedisPrimary[]> {
  if (!connection.isCluster) return [toPrimary(connection as Redis, await connection.info(), '')]
  const nodes = 'nodes' in connection ? connection.nodes('master') : []
  const found = await Promise.all(nodes.map(describe))
  const served = found.reduce((sum, { slots }) => sum + slots, 0)
  if (served !== SLOTS) throw new Error('a part of the cluster of Redis has no primary')
  return found.filter(({ slots }) => slots > 0).map(({ primary }) => primary)
}

async function describe(redis: Redis): Promise<{ primary: RedisPrimary; slots: number }> {
  const [info, nodes] = await Promise.all([redis.info(), redis.cluster('NODES')])
  const [, , flags = '', , , , , , ...parts] =
    String(nodes)
      .split('\n')
      .find((line) => line.includes('myself'))
      ?.split(' ') ?? []
  // Slots in brackets are on their way to another server, or from there.
  const ranges = parts.filter((part) => /^\d/.test(part)).map(parseRange)
  const isPrimary = flags.includes('master')
  const slots = isPrimary ? ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0) : 0
  return { primary: toPrimary(redis, info, slots > 0 ? findTag(ranges) : ''), slots }
}

function parseRange(text: string): readonly [number, number] {
  const [from = Number.NaN, to = from] = text.split('-').map(Number)
  return [from, to]
}

function toPrimary(redis: Redis, info: string, tag: string): RedisPrimary {
  const field = (name: string): string =>
    new RegExp(String.raw`^${name}:(\S*)`, 'm').exec(info)?.[1] ?? ''
  return { redis, info, identity: `${field('run_id')}/${field('master_replid')}`, tag }
}

/** Finds the first number whose slot is in one of the ranges. */
function findTag(ranges: readonly (readonly [number, number])[]): string {
  for (let number = 0; ; number += 1) {
    const slot = slotOf(String(number))
    if (ranges.some(([from, to]) => slot >= from && slot <= to)) return String(number)
  }
}

/** The slot of a key of ASCII letters: its CRC16 (XMODEM), as the specification of the cluster defines it. */
export function slotOf(key: string): number {
  let crc = 0
  for (const byte of Buffer.from(key)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    }
    crc &= 0xffff
  }
  return crc % SLOTS
}
