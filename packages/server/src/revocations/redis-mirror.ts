import { randomId, type Random } from '../base/random.ts'
import { closeRedis, connectRedis, LastError, untilReady } from '../redis/connect.ts'
import { primariesOf, type RedisPrimary } from '../redis/primaries.ts'
import { MIRROR_HEAD_MS, type MirrorHead, type MirrorMark, type MirrorTarget } from './mirror.ts'

const PREFIX = 'countersign:revoked:'
const HEAD = `${PREFIX}head`

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

// Each process has its own key on each primary. A flush or a lost disk removes it together with the marks.
const PROBE = `
local held = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return held`

// The head expires by the clock of Redis, which was read before the log was read. So a head that arrives late
// has already expired. The head never goes back, so a lagging node cannot replace the head of a current node. After a
// failover the clock may be another one, which must not make the head live longer.
const SET_HEAD = `
for at = 2, #KEYS do
  if redis.call('EXISTS', KEYS[at]) == 0 then return 'emptied' end
end
local old = redis.call('GET', KEYS[1])
if old then
  local head = cjson.decode(old)
  if head.issuer ~= ARGV[1] then return 'other_issuer' end
  if head.position > tonumber(ARGV[2]) then return 'behind' end
end
local now = redis.call('TIME')
local latest = now[1] * 1000 + math.floor(now[2] / 1000) + ${MIRROR_HEAD_MS}
redis.call('SET', KEYS[1], ARGV[4])
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.min(tonumber(ARGV[3]), latest)))
return 'ok'`

// Another issuer's head is not ours to remove.
const DROP_HEAD = `
local old = redis.call('GET', KEYS[1])
if old and cjson.decode(old).issuer == ARGV[1] then redis.call('DEL', KEYS[1]) end`

/**
 * Opens the mirror in a Redis or Valkey: one server, a primary with Sentinels, or a cluster. Redis must be version 6 or
 * newer, because of KEEPTTL. It connects and reconnects automatically.
 */
export function createRedisMirror({
  url,
  issuer,
  random,
  onConnect,
}: {
  readonly url: string
  readonly issuer: string
  readonly random: Random
  /** Called when a connection opens. The content of the mirror may have been lost before. */
  readonly onConnect: () => void
}): MirrorTarget {
  const closing = new AbortController()
  const id = randomId(random)
  const redis = connectRedis(url)
  const lastError = new LastError(redis)
  const isCluster = redis.isCluster
  /** The identities of the servers when they were last asked. After a failover they differ, and marks may be lost. */
  let known = ''
  redis.on('ready', onConnect)

  const ownKeyOf = ({ tag }: RedisPrimary): string =>
    isCluster ? `${PREFIX}held:{${tag}}:${id}` : `${PREFIX}held:${id}`

  async function primaries(): Promise<readonly RedisPrimary[]> {
    const found = await primariesOf(redis)
    for (const { info } of found) refuseEviction(info)
    return found
  }

  async function raise(marks: readonly MirrorMark[], keepMs: number): Promise<void> {
    if (marks.length === 0) return
    const keys = marks.map(({ kind, subject }) => `${PREFIX}${kind}:${subject}`)
    const positions = marks.map(({ position }) => position)
    // The keys of marks have no common tag, so a cluster has them in different slots.
    if (isCluster) {
      await Promise.all(keys.map((key, at) => redis.eval(RAISE, 1, key, keepMs, positions[at]!)))
    } else {
      await redis.eval(RAISE, keys.length, ...keys, keepMs, ...positions)
    }
  }

  return {
    async probe(keepMs) {
      await untilReady(redis, lastError, closing.signal)
      const found = await primaries()
      const held = await Promise.all(
        found.map((primary) => primary.redis.eval(PROBE, 1, ownKeyOf(primary), keepMs)),
      )
      const holds = held.every((each) => each === 1) && identityOf(found) === known
      // In a cluster, the head may have survived on another primary than the one that lost marks.
      if (isCluster && !holds && known !== '') await redis.eval(DROP_HEAD, 1, HEAD, issuer)
      known = identityOf(found)
      const time = await redis.eval(`return redis.call('TIME')`, 1, HEAD)
      const [seconds = 0, micros = 0] = (time as readonly unknown[]).map(Number)
      return { holds, timeMs: seconds * 1000 + Math.floor(micros / 1000) }
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
      const found = await primaries()
      if (identityOf(found) !== known) throw new Error(FAULTS['emptied'])
      if (isCluster) await assertHeld(found, ownKeyOf)
      const keys = isCluster ? [HEAD] : [HEAD, ...found.map(ownKeyOf)]
      const text = JSON.stringify(head)
      const said = await redis.eval(
        SET_HEAD,
        keys.length,
        ...keys,
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
      closeRedis(redis)
    },
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  emptied: 'Redis was emptied or replaced while the log was copied',
  other_issuer:
    'another issuer writes to this Redis. Use a separate database number for each issuer, such as redis://host:6379/1, or a separate cluster',
}

function identityOf(primaries: readonly RedisPrimary[]): string {
  return primaries
    .map(({ identity }) => identity)
    .toSorted((one, other) => (one < other ? -1 : 1))
    .join()
}

async function assertHeld(
  primaries: readonly RedisPrimary[],
  keyOf: (primary: RedisPrimary) => string,
): Promise<void> {
  const held = await Promise.all(primaries.map((each) => each.redis.exists(keyOf(each))))
  if (held.includes(0)) throw new Error(FAULTS['emptied'])
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
