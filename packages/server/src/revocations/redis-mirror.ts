import { once } from 'node:events'

import { Redis } from 'ioredis'

import { randomId, type Random } from '../base/random.ts'
import type { MirrorHead, MirrorMark, MirrorTarget } from './mirror.ts'

const PREFIX = 'countersign:revoked:'
const HEAD = `${PREFIX}head`

const CONNECT_MS = 2_000
const COMMAND_MS = 2_000
const RECONNECT_MS_MAX = 1_000

// Several nodes write at the same time, and a node may lag behind. So a mark is only raised, never lowered.
const RAISE = `
local keepMs = tonumber(ARGV[1])
for at, key in ipairs(KEYS) do
  local position = tonumber(ARGV[at + 1])
  local held = tonumber(redis.call('GET', key) or '') or -1
  if position > held then redis.call('SET', key, ARGV[at + 1], 'KEEPTTL') end
  if keepMs == 0 then
    redis.call('PERSIST', key)
  elseif held < 0 or (redis.call('PTTL', key) >= 0 and redis.call('PTTL', key) < keepMs) then
    redis.call('PEXPIRE', key, keepMs)
  end
end`

// Each process has its own key. A flush or a lost disk removes it together with the marks.
const PROBE = `
local held = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
local now = redis.call('TIME')
return { held, now[1], now[2] }`

// The head expires by the clock of Redis, which was read before the log was read. So a head that arrives late
// has already expired. The head never goes back, so a lagging node cannot replace the head of a current node.
const SET_HEAD = `
if redis.call('EXISTS', KEYS[2]) == 0 then return 'emptied' end
local old = redis.call('GET', KEYS[1])
if old then
  local head = cjson.decode(old)
  if head.issuer ~= ARGV[1] then return 'other_issuer' end
  if head.position > tonumber(ARGV[2]) then return 'behind' end
end
redis.call('SET', KEYS[1], ARGV[4])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 'ok'`

/**
 * Opens the mirror in a Redis or Valkey. Redis must be version 6 or newer, because of KEEPTTL. It connects
 * and reconnects automatically.
 */
export function createRedisMirror({
  url,
  random,
  onConnect,
}: {
  readonly url: string
  readonly random: Random
  /** Called when a connection opens. The content of the mirror may have been lost before. */
  readonly onConnect: () => void
}): MirrorTarget {
  const closing = new AbortController()
  const own = `${PREFIX}held:${randomId(random)}`
  const redis = connect(url)
  let lastError: Error | undefined
  redis.on('ready', onConnect)
  redis.on('error', (error) => (lastError = error))

  async function connected(): Promise<void> {
    if (redis.status === 'ready') return
    const signal = AbortSignal.any([AbortSignal.timeout(CONNECT_MS), closing.signal])
    await once(redis, 'ready', { signal }).catch(() => {
      throw lastError ?? new Error('Redis did not answer')
    })
  }

  async function raise(marks: readonly MirrorMark[], keepMs: number): Promise<void> {
    if (marks.length === 0) return
    const keys = marks.map(({ kind, subject }) => `${PREFIX}${kind}:${subject}`)
    await redis.eval(RAISE, keys.length, ...keys, keepMs, ...marks.map(({ position }) => position))
  }

  return {
    async probe(keepMs) {
      await connected()
      const [reply, info] = await Promise.all([
        redis.eval(PROBE, 1, own, keepMs),
        redis.info('memory'),
      ])
      refuseEviction(info)
      const [held, seconds, micros] = (reply as readonly unknown[]).map(Number)
      return { holds: held === 1, timeMs: (seconds ?? 0) * 1000 + Math.floor((micros ?? 0) / 1000) }
    },
    async raise(marks, keepMs) {
      await raise(
        marks.filter(({ stays }) => !stays),
        keepMs,
      )
      await raise(
        marks.filter(({ stays }) => stays),
        0,
      )
    },
    async setHead(head: MirrorHead, untilMs) {
      const text = JSON.stringify(head)
      const said = await redis.eval(
        SET_HEAD,
        2,
        HEAD,
        own,
        head.issuer,
        head.position,
        untilMs,
        text,
      )
      // `behind` means that another node has written a newer head.
      if (said !== 'ok' && said !== 'behind') throw new Error(FAULTS[String(said)] ?? String(said))
    },
    async close() {
      closing.abort()
      redis.disconnect()
    },
  }
}

function connect(url: string): Redis {
  return new Redis(url, {
    connectionName: 'countersign',
    connectTimeout: CONNECT_MS,
    commandTimeout: COMMAND_MS,
    // A command that is sent later would be out of date.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 100, RECONNECT_MS_MAX),
  })
}

const FAULTS: Readonly<Record<string, string>> = {
  emptied: 'Redis was emptied while the log was copied',
  other_issuer:
    'another issuer writes to this Redis. Use a separate database number for each issuer, such as redis://host:6379/1',
}

/** Throws if Redis may evict keys when its memory is full, because revoked tokens would be accepted again. */
function refuseEviction(info: string): void {
  const max = /^maxmemory:(\d+)/m.exec(info)?.[1] ?? '0'
  const policy = /^maxmemory_policy:([\w-]+)/m.exec(info)?.[1] ?? 'noeviction'
  if (max === '0' || policy === 'noeviction') return
  throw new Error(
    `Redis may evict keys (maxmemory-policy ${policy}). Set maxmemory-policy to noeviction`,
  )
}
