import type { EpochMs } from '../base/clock.ts'
import { randomId, type Random } from '../base/random.ts'
import { createSealer, type Sealer } from '../keys/sealing.ts'
import type { MailKind, MailLocale, NewMail } from '../store/rows.ts'
import type { MailValues } from './kinds.ts'

/** A mail that somebody is to get. */
export interface MailTo<Kind extends MailKind> {
  /** Undefined for a decoy: see `NewMail.recipient`. Its `values` must be as long as real ones. */
  readonly to: string | undefined
  /** Without it: the language of the settings. */
  readonly locale?: MailLocale | undefined
  readonly accountId: string | undefined
  readonly values: MailValues[Kind]
}

/** Writes mails for the outbox. */
export interface Mailer {
  /**
   * Returns the row of a mail. Pass it as `AuditContext.mails` to the change that the mail reports, or to
   * `MailStore.add`. Throws a `TypeError` if a URL is not http or https, or the values are far too long.
   */
  compose<Kind extends MailKind>(kind: Kind, mail: MailTo<Kind>, now: EpochMs): NewMail
}

/** Mails are given up after a day. */
const KEPT_MS = 86_400_000
/** Values are padded to a multiple of this, so that their length tells nothing. Almost all need one block. */
const BLOCK_BYTES = 2_048
const BLOCKS_MAX = 8
/** No name in a mail is longer. Longer ones are cut off when the mail is written. */
const NAME_CHARS_MAX = 200

/**
 * Returns the sealer of the values of mails. Its keys derive from the secrets of the server, and seal nothing
 * else: a key with random IVs must not seal an unlimited number of messages.
 */
export function createMailSealer(sealer: Sealer, random: Random): Sealer {
  return createSealer(
    sealer.deriveEach('mail/v1', 32).map((key) => key.toString('hex')),
    random,
  )
}

/** Creates the mailer. `locale` is the language of mails that name none. */
export function createMailer({
  sealer,
  random,
  locale,
}: {
  /** From {@link createMailSealer}. */
  readonly sealer: Sealer
  readonly random: Random
  readonly locale: MailLocale
}): Mailer {
  return {
    compose: (kind, mail, now) => {
      const id = `mail_${randomId(random)}`
      const { values } = mail
      const expiresAt = 'expiresAt' in values ? values.expiresAt : Infinity
      // A copy: the buffer of the sealer may be a part of a larger one, which would travel between threads too.
      const sealed = new Uint8Array(sealer.seal(toBytes(values), contextOf(id)))
      return {
        id,
        kind,
        recipient: mail.to,
        locale: mail.locale ?? locale,
        sealed,
        accountId: mail.accountId,
        createdAt: now,
        notAfter: Math.min(now + KEPT_MS, expiresAt),
      }
    },
  }
}

/** Returns the values of a mail. Undefined if no secret of the server opens them. */
export function openValues(
  sealer: Sealer,
  { id, sealed }: Pick<NewMail, 'id' | 'sealed'>,
): MailValues[MailKind] | undefined {
  const plain = sealer.open(sealed, contextOf(id))
  // Only `compose` seals with this context, and it seals the values of the mail.
  return plain === undefined ? undefined : (JSON.parse(plain.toString()) as MailValues[MailKind])
}

function contextOf(id: string): string {
  return `mail ${id}`
}

function toBytes(values: MailValues[MailKind]): Uint8Array {
  if ('url' in values && !/^https?:\/\/[^\s"<>]+$/.test(values.url)) {
    throw new TypeError('The link of a mail must be an http or https URL.')
  }
  const json = Buffer.from(JSON.stringify(values, cutNames))
  const blocks = Math.max(1, Math.ceil(json.length / BLOCK_BYTES))
  if (blocks > BLOCKS_MAX) throw new TypeError('The values of a mail are too long.')
  // White space after the JSON text does not change it.
  return Buffer.concat([json, Buffer.alloc(blocks * BLOCK_BYTES - json.length, ' ')])
}

function cutNames(key: string, value: unknown): unknown {
  return key !== 'url' && typeof value === 'string' ? value.slice(0, NAME_CHARS_MAX) : value
}
