import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'

import { addressNetwork } from '../base/address.ts'
import { randomId, type Random } from '../base/random.ts'
import type { ThrottleBucket } from '../store/throttle.ts'

/** Allows `triesMax` attempts at once, and the same number again in each period. */
export interface Rate {
  readonly triesMax: number
  readonly periodMs: number
}

/** The rates of the kinds of buckets. */
export interface ThrottleRates {
  /** Attempts at one account from all unknown devices together. */
  readonly account: Rate
  /** Attempts at one account from one address. */
  readonly source: Rate
  /** Attempts at all accounts from one address. */
  readonly address: Rate
  /** Attempts at one account from a device that has logged in to it. */
  readonly device: Rate
  /** Correct passwords of one account, from everywhere. Only who knows the password can use them up. */
  readonly login: Rate
  /** Mails to one address that anybody asked for. */
  readonly recipient: Rate
  /** Mails that one network asked for. */
  readonly sender: Rate
}

/** One attempt: its account and its origin. */
export interface Try {
  readonly usernameKey: string
  readonly address: string
  /** The device cookie of an earlier login. It may be any text that a client sent. */
  readonly device?: string | undefined
  /** Whether one of the account's newest sessions is from this address. */
  readonly isKnownAddress: boolean
  /** The newest hard position of the account. 0 if there is no account. */
  readonly hardPosition?: number | undefined
  /** The session of the request, if it requires one. */
  readonly sessionId?: string | undefined
}

/** Slows down guessing. It locks nobody out: after waiting, anybody may try again. */
export interface Throttle {
  /** Returns the buckets in which an attempt counts. Empty if throttling is off. */
  bucketsOf(attempt: Try): readonly ThrottleBucket[]
  /** Returns the bucket in which correct passwords of an account count. Empty if throttling is off. */
  loginsOf(usernameKey: string, address: string): readonly ThrottleBucket[]
  /**
   * Returns the buckets in which a request for a mail counts. They are the same whether or not an account has
   * the address. Empty if throttling is off.
   */
  mailsOf(emailKey: string, address: string): readonly ThrottleBucket[]
  /**
   * Returns the buckets in which an invitation counts: its recipient, its inviter and its tenant. They are not
   * those of other mails. Otherwise an inviter could keep somebody from resetting their password.
   */
  invitationsOf(emailKey: string, inviterId: string, tenantId: string): readonly ThrottleBucket[]
  /** Returns the bucket in which attempts of an account to accept an invitation count. */
  acceptsOf(accountId: string): readonly ThrottleBucket[]
  /** Returns the bucket in which the requests of a network for a passkey challenge count. */
  challengesOf(address: string): readonly ThrottleBucket[]
  /** Whether a device cookie proves an earlier login to this account. */
  knowsDevice(device: string | undefined, usernameKey: string, hardPosition: number): boolean
  /**
   * Creates the device cookie. It proves that the browser has logged in to this account after `hardPosition`,
   * where all sessions of the account were last revoked.
   */
  rememberDevice(usernameKey: string, hardPosition: number): string
}

const HOUR_MS = 3_600_000
// A whole team is invited at once, but nobody invites more than some hundred people a day by hand.
const INVITER_RATE: Rate = { triesMax: 100, periodMs: HOUR_MS }
const TENANT_RATE: Rate = { triesMax: 500, periodMs: 24 * HOUR_MS }
// A page asks once when it opens. Whole companies share an address.
const CHALLENGE_RATE: Rate = { triesMax: 3_000, periodMs: HOUR_MS }
const ACCEPT_RATE: Rate = { triesMax: 20, periodMs: HOUR_MS }

/**
 * Creates the throttle. Without `rates` it counts nothing. `keys` derive from the secrets. Every key verifies
 * device cookies, and the first key signs new cookies.
 *
 * Attempts from a known device count only in the bucket of that device. Attempts from a known address do not
 * count in the bucket of the account. Otherwise an attacker who guesses at an account would lock out its
 * owner.
 *
 * A device cookie becomes invalid when all sessions of the account are revoked, for example by a new
 * password. An attacker who knew the old password could have collected thousands of cookies, each with its
 * own bucket. An attempt with a session also counts against that session, from any address.
 */
export function createThrottle(
  rates: ThrottleRates | undefined,
  keys: readonly Uint8Array[],
  random: Random,
): Throttle {
  const macKeys = keys.map((key) => createSecretKey(key))
  const [first] = macKeys
  if (first === undefined) throw new TypeError('A throttle needs a key.')

  // The key is a MAC, so that the table does not reveal the accounts that are attacked.
  const bucket = (kind: string, rate: Rate, ...of: string[]): ThrottleBucket => ({
    key: `${kind}:${mac(first, kind, ...of)
      .subarray(0, 16)
      .toString('base64url')}`,
    triesMax: rate.triesMax,
    intervalMs: Math.ceil(rate.periodMs / rate.triesMax),
  })

  return {
    bucketsOf(attempt) {
      if (rates === undefined) return []
      const { usernameKey, address, device, sessionId, hardPosition = 0 } = attempt
      const deviceId = provenDevice(macKeys, device, usernameKey, hardPosition)
      if (deviceId !== undefined) return [bucket('device', rates.device, usernameKey, deviceId)]
      const network = addressNetwork(address)
      // Without known addresses, all callers would share one bucket.
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

    loginsOf(usernameKey, address) {
      if (rates === undefined) return []
      const network = addressNetwork(address)
      const { login } = rates
      if (network === '') return [bucket('login', login, usernameKey)]
      // An attacker who has the password, but no second factor, must not use up the logins of the owner.
      const total = { ...login, triesMax: login.triesMax * 10 }
      return [bucket('login', login, usernameKey, network), bucket('logins', total, usernameKey)]
    },

    mailsOf(emailKey, address) {
      if (rates === undefined) return []
      const network = addressNetwork(address)
      const { recipient, sender } = rates
      // From everywhere together, four times as many. Otherwise a stranger could use up the mails of a person.
      const total = { ...recipient, triesMax: recipient.triesMax * 4 }
      const all = bucket('mailbox', total, emailKey)
      if (network === '') return [all]
      const own = bucket('recipient', recipient, emailKey, network)
      return [all, own, bucket('sender', sender, network)]
    },

    invitationsOf: (emailKey, inviterId, tenantId) =>
      rates === undefined
        ? []
        : [
            bucket('invited', rates.recipient, emailKey, tenantId),
            bucket('inviter', INVITER_RATE, inviterId),
            bucket('inviting', TENANT_RATE, tenantId),
          ],

    acceptsOf: (accountId) =>
      rates === undefined ? [] : [bucket('accept', ACCEPT_RATE, accountId)],

    challengesOf: (address) => {
      const network = addressNetwork(address)
      return rates === undefined || network === ''
        ? []
        : [bucket('challenge', CHALLENGE_RATE, network)]
    },

    knowsDevice: (device, usernameKey, hardPosition) =>
      provenDevice(macKeys, device, usernameKey, hardPosition) !== undefined,

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

// JSON keeps the parts separate. Concatenation would make different parts equal.
function mac(key: KeyObject, ...parts: readonly string[]): Buffer {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest()
}
