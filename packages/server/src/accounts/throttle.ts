import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'

import { addressNetwork } from '../base/address.ts'
import { randomId, type Random } from '../base/random.ts'
import type { Bucket } from '../store/throttle.ts'

/** So many tries at once, and as many again in each period. */
export interface Rate {
  readonly triesMax: number
  readonly periodMs: number
}

/** What is counted. Undefined where it is off. */
export interface ThrottleRates {
  /** Tries at one account from all devices that are not known. */
  readonly account: Rate
  /** Tries at one account from one address. */
  readonly source: Rate
  /** Tries at whatever accounts from one address. */
  readonly address: Rate
  /** Tries at one account from a device that has logged in to it. */
  readonly device: Rate
}

/** Who tries, at what. */
export interface Try {
  readonly usernameKey: string
  readonly address: string
  /** What the browser keeps from an earlier log-in; undefined or anything at all. */
  readonly device?: string | undefined
  /** Whether one of the account's newest sessions is from this address. */
  readonly isKnownAddress: boolean
  /** The account's newest hard position, 0 where there is no account. */
  readonly hardPosition?: number | undefined
  /** The session of who tries, where only one with a session may. */
  readonly sessionId?: string | undefined
}

/** Slows down guessing. Nobody is locked out: who waits may try again. */
export interface Throttle {
  /** The buckets in which a try counts: none where throttling is off. */
  bucketsOf(attempt: Try): readonly Bucket[]
  /**
   * What a browser keeps from now on: it proves that it has logged in to this account, since its sessions
   * were last taken back at `hardPosition`.
   */
  rememberDevice(usernameKey: string, hardPosition: number): string
}

/**
 * Makes the throttle. `keys` derive from the secrets: all prove a device, the first makes new proofs.
 *
 * A device that has logged in before counts in a bucket of its own only, and an address that has in the
 * one of its own: otherwise whoever guesses at an account locks its owner out.
 *
 * A device is forgotten when the account's sessions are taken back, as by a new password: whoever knew the
 * old one could have collected devices by the thousand, each with a bucket of its own. A try with a session
 * counts for that session as well, from wherever it comes.
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
      // A name with a MAC, so that the table tells nobody whose accounts are tried.
      const bucket = (kind: string, rate: Rate, ...of: string[]): Bucket => ({
        key: `${kind}:${mac(first, kind, ...of)
          .subarray(0, 16)
          .toString('base64url')}`,
        triesMax: rate.triesMax,
        intervalMs: Math.ceil(rate.periodMs / rate.triesMax),
      })
      const deviceId = provenDevice(macKeys, device, usernameKey, hardPosition)
      if (deviceId !== undefined) return [bucket('device', rates.device, usernameKey, deviceId)]
      const network = addressNetwork(address)
      // Where the caller does not know the address, everybody would share one.
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

// JSON keeps apart what concatenation would join.
function mac(key: KeyObject, ...parts: readonly string[]): Buffer {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest()
}
