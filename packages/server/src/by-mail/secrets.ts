import { createHmac, createSecretKey } from 'node:crypto'

import { lettersOf, newLetterCode } from '../base/letters.ts'
import { randomId, type Random } from '../base/random.ts'
import type { PresentedCode } from '../store/mail-codes.ts'

/** The secrets of one mailed code. Only their hashes are stored. */
export interface CodeSecrets {
  /** The id of the row. */
  readonly id: string
  /** In the link of the mail: the id and 128 random bits. */
  readonly link: string
  /** The code that people type: `WDJB-MJHT`. */
  readonly code: string
  /** The secret of the browser or program that asked: the id and 128 random bits. */
  readonly ticket: string
}

/** The link, code and ticket that a person sends. Each may be any text that a client sent. */
export interface Presented {
  readonly link?: string | undefined
  readonly code?: string | undefined
  readonly ticket?: string | undefined
}

type Kind = 'link' | 'code' | 'ticket'

/** Hashes the secrets of mailed codes. Without the keys, nobody can try all codes against a leaked database. */
export interface CodeHasher {
  /** Hashes under the first key, for a new row. */
  hash(kind: Kind, secrets: CodeSecrets): Uint8Array
  /**
   * Prepares what a person presents for the store, with a hash for every key. Undefined if it has neither a
   * link nor a ticket in a form that the server makes.
   */
  present(presented: Presented): PresentedCode | undefined
  /** Prepares a typed code for a row whose id is known. */
  presentCode(id: string, code: string): readonly Uint8Array[]
}

/** Makes the secrets of a new code, or new secrets for the row with this id. The code has 34 bits, of which five attempts guess next to nothing. */
export function newCodeSecrets(random: Random, id: string = randomId(random)): CodeSecrets {
  return {
    id,
    link: `${id}.${randomId(random)}`,
    code: newLetterCode(random, 2),
    ticket: `${id}.${randomId(random)}`,
  }
}

/** The purpose of the keys that {@link createCodeHasher} takes. */
export const CODE_KEYS = 'mail-codes/v1'

/** Creates the hasher. `keys` derive from the secrets of the server, the current one first. */
export function createCodeHasher(keys: readonly Uint8Array[]): CodeHasher {
  const macKeys = keys.map((key) => createSecretKey(key))
  const [first] = macKeys
  if (first === undefined) throw new TypeError('Mailed codes need a key.')

  // JSON keeps the parts separate. The id makes equal codes of two rows different.
  const mac = (key: typeof first, ...parts: readonly string[]): Uint8Array =>
    new Uint8Array(createHmac('sha256', key).update(JSON.stringify(parts)).digest())
  const macs = (...parts: readonly string[]): readonly Uint8Array[] =>
    macKeys.map((key) => mac(key, ...parts))

  return {
    hash: (kind, secrets) => {
      const secret = kind === 'code' ? lettersOf(secrets.code) : secretOf(secrets[kind])
      return mac(first, kind, secrets.id, secret ?? '')
    },
    presentCode: (id, code) => macs('code', id, lettersOf(code)),
    present: ({ link, code, ticket }) => {
      const id = idOf(link) ?? idOf(ticket)
      if (id === undefined) return undefined
      const hashesOf = (kind: Kind, text: string | undefined): PresentedCode['linkHashes'] =>
        // A ticket of another mail is an old cookie of this browser.
        text === undefined || idOf(text) !== id ? undefined : macs(kind, id, secretOf(text) ?? '')
      return {
        id,
        linkHashes: hashesOf('link', link),
        ticketHashes: hashesOf('ticket', ticket),
        codeHashes:
          code === undefined || code === '' ? undefined : macs('code', id, lettersOf(code)),
      }
    },
  }
}

const TOKEN = /^([\w-]{22})\.([\w-]{22})$/

function idOf(token: string | undefined): string | undefined {
  return token === undefined ? undefined : TOKEN.exec(token)?.[1]
}

function secretOf(token: string): string | undefined {
  return TOKEN.exec(token)?.[2]
}
