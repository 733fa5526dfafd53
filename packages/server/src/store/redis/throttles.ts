import type { Clock } from '../../base/clock.ts'
import type { RedisLink } from '../../redis/link.ts'
import type { ThrottleStore } from '../store.ts'
import type { ThrottleBucket } from '../throttle.ts'

// One tag, so that all buckets are in one slot of a cluster: an attempt counts in all of its buckets or in none.
const PREFIX = 'countersign:{throttle}:'
/** Counters stay this much longer than their bucket is filled, in milliseconds. The clock of Redis may differ. */
const KEPT_MS = 60_000

/**
 * The rule of `store/sql/throttles.ts`. A test compares the two. `held` reads how far a bucket is filled, in
 * milliseconds; anything that is no number counts as empty.
 */
const TAKE = `
local now = tonumber(ARGV[1])
local function held(key)
  return math.max(0, (tonumber(redis.call('GET', key) or '') or 0) - now)
end
local longest = 0
for at, key in ipairs(KEYS) do
  local interval = tonumber(ARGV[2 * at + 1])
  local full = tonumber(ARGV[2 * at]) * interval
  local filled = held(key)
  if filled <= full then longest = math.max(longest, filled + interval - full) end
end
if longest > 0 then return longest end
for at, key in ipairs(KEYS) do
  local interval = tonumber(ARGV[2 * at + 1])
  local filled = held(key)
  if filled > tonumber(ARGV[2 * at]) * interval then filled = 0 end
  local after = filled + interval
  redis.call('SET', key, string.format('%.0f', now + after), 'PX', string.format('%.0f', after + ${KEPT_MS}))
end
return 0`

const GIVE_BACK = `
for at, key in ipairs(KEYS) do
  local emptyAt = tonumber(redis.call('GET', key) or '')
  if emptyAt then
    redis.call('SET', key, string.format('%.0f', emptyAt - tonumber(ARGV[at])), 'KEEPTTL')
  end
end
return 0`

/**
 * Counts attempts in Redis, and in the database while Redis does not work. Each of the two counts for itself. So while
 * Redis comes and goes, at most twice as many attempts are accepted. `clock` is that of the database.
 */
export function createRedisThrottles(
  link: Pick<RedisLink, 'run'>,
  clock: Clock,
  inDatabase: ThrottleStore,
): ThrottleStore {
  /** The buckets of attempts that were counted in the database. They are given back there. */
  const counted = new WeakSet<ThrottleBucket>()

  async function take(buckets: readonly ThrottleBucket[]): Promise<number> {
    const keys = buckets.map(({ key }) => PREFIX + key)
    const rates = buckets.flatMap(({ triesMax, intervalMs }) => [triesMax, intervalMs])
    return link.run(async (redis) => {
      const reply = await redis.eval(TAKE, keys.length, ...keys, clock.nowMs(), ...rates)
      if (typeof reply !== 'number') throw new Error('Redis gave a wrong answer')
      return reply
    })
  }

  return {
    take: async (buckets) => {
      if (buckets.length === 0) return { ok: true }
      try {
        const retryAfterMs = await take(buckets)
        return retryAfterMs > 0 ? { ok: false, retryAfterMs } : { ok: true }
      } catch {
        const taken = await inDatabase.take(buckets)
        for (const bucket of buckets) counted.add(bucket)
        return taken
      }
    },

    giveBack: async (buckets) => {
      const fromDatabase = buckets.filter((bucket) => counted.has(bucket))
      const fromRedis = buckets.filter((bucket) => !counted.has(bucket))
      if (fromDatabase.length > 0) await inDatabase.giveBack(fromDatabase)
      if (fromRedis.length === 0) return
      const keys = fromRedis.map(({ key }) => PREFIX + key)
      const intervals = fromRedis.map(({ intervalMs }) => intervalMs)
      // If Redis has failed since, the attempts stay counted until they expire, as after a crash of this process.
      await link
        .run((redis) => redis.eval(GIVE_BACK, keys.length, ...keys, ...intervals))
        .catch(() => {})
    },

    purge: (limit) => inDatabase.purge(limit),
  }
}
