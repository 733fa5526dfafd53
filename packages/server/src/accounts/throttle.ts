import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'

import { addressNetwork } from '../base/address.ts'
import { randomId, type Random } from '../base/random.ts'
import type { ThrottleBucket } from '../store/throttle.ts'

/** `triesMax` attempts at once, and as many again in each period. */
export interface Rate {
  readonly triesMax: number
  readonly periodMs: number
}

/** The rates of the four kinds of buckets. */
export interface ThrottleRates {
  /** Attempts at one account from all devices that are not known. */
  readonly account: Rate
  /** Attempts at one account from one address. */
  readonly source: Rate
  /** Attempts at any accounts from one address. */
  readonly address: Rate
  /** Attempts at one account from a device that has logged in to it. */
  readonly device: Rate
}

/** One attempt: at which account, and from where. */
export interface Try {
  readonly usernameKey: string
  readonly address: string
  /** The device cookie of an earlier log-in. It may be any text that a client sent. */
  readonly device?: string | undefined
  /** Whether one of the account's newest sessions is from this address. */
  readonly isKnownAddress: boolean
  /** The account's newest hard position; 0 without an account. */
  readonly hardPosition?: number | undefined
  /** The session of the request, if it requires one. */
  readonly sessionId?: string | undefined
}

/** Slows down guessing. It locks nobody out: anyone who waits may try again. */
export interface Throttle {
  /** The buckets in which an attempt counts; none if throttling is off. */
  bucketsOf(attempt: Try): readonly ThrottleBucket[]
  /**
   * Creates the device cookie. It proves that the browser has logged in to this account since all sessions
   * of the account were last revoked, at `hardPosition`.
   */
  rememberDevice(usernameKey: string, hardPosition: number): string
}

/**
 * Creates the throttle; without `rates` it counts nothing. `keys` derive from the secrets: every key
 * verifies a device cookie, and the first one signs new ones.
 *
 * A device that has logged in before counts only in its own bucket, and a known address does not count in
 * the bucket of the account. Otherwise someone who guesses at an account would lock its owner out.
 *
 * A device cookie is void when the account's sessions are revoked, for example by a new password. An
 * attacker who knew the old password could have collected thousands of cookies, each with its own bucket.
 * An attempt with a session also counts against that session, from any address.
 */
export function createThrottle(
  rates: ThrottleRates | undefined,
  keys: readonly Uint8Array[],
  random: Random,
): Throttle {
  const macKeys = keys.map((key) => createSecretKey(key))
  const [first] = macKeys
  if (first === undefined) throw new TypeError('A throttle needs a key.')

  return {
    bucketsOf(attempt) {
      if (rates === undefined) return []
      const { usernameKey, address, device, sessionId, hardPosition = 0 } = attempt
      // A MAC of the name, so that the table does not reveal whose accounts are attempted.
      const bucket = (kind: string, rate: Rate, ...of: string[]): ThrottleBucket => ({
        key: `${kind}:${mac(first, kind, ...of)
          .subarray(0, 16)
          .toString('base64url')}`,
        triesMax: rate.triesMax,
        intervalMs: Math.ceil(rate.periodMs / rate.triesMax),
      })
      const deviceId = provenDevice(macKeys, device, usernameKey, hardPosition)
      if (deviceId !== undefined) return [bucket('device', rates.device, usernameKey, deviceId)]
      const network = addressNetwork(address)
      // Without a known address, all callers would share one bucket.
      const own =
        network === ''
          ? []
          : [
              bucket('source', rates.source, usernameKey, network),
              bucket('address', rates.address, network),
            ]
      if (sessionId !== undefined) own.push(bucket('session', rates.device, usernameKey, sessionId))
      return attempt.isKnownAddress ? own : [...own, bucket('account', rates.account, usernameKey)]
    },

    rememberDevice(usernameKey, hardPosition) {
      const id = randomId(random)
      return `${id}.${deviceMac(first, usernameKey, hardPosition, id)}`
    },
  }
}

function provenDevice(
  keys: readonly KeyObject[],
  device: string | undefined,
  usernameKey: string,
  hardPosition: number,
): string | undefined {
  const [id = '', proof = ''] = device?.split('.', 3) ?? []
  if (!/^[\w-]{22}$/.test(id) || !/^[\w-]{43}$/.test(proof)) return undefined
  const isProven = keys.some((key) =>
    timingSafeEqual(Buffer.from(deviceMac(key, usernameKey, hardPosition, id)), Buffer.from(proof)),
  )
  return isProven ? id : undefined
}

function deviceMac(key: KeyObject, usernameKey: string, hardPosition: number, id: string): string {
  return mac(key, 'remembered', usernameKey, String(hardPosition), id).toString('base64url')
}

// JSON keeps the parts apart; concatenation would join them.
function mac(key: KeyObject, ...parts: readonly string[]): Buffer {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest()
}
