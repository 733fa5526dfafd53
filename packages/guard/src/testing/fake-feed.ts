import {
  createSigner,
  publicJwkOf,
  type Signer,
  type SigningKey,
  verifyingKeyOf,
} from '@countersign/jwt'

import { BATCH_TYP, toWire, type WireBatch } from '../revocations/batch.ts'
import { chainValue, type LogHead, type RevocationEntry } from '../revocations/entry.ts'
import { type AuthorityMessage, parseGuardMessage } from '../revocations/messages.ts'
import type { FeedLine } from '../revocations/socket.ts'

const START: LogHead = { position: 0, chain: Buffer.alloc(32) }
/** Nobody returns batches to a fake authority, so nothing checks their MAC. */
const NO_MAC = Buffer.alloc(32).toString('base64url')
const RETAIN_MS = 86_400_000

interface Connection {
  readonly send: (message: AuthorityMessage) => void
  /** The position that the guard has confirmed. */
  applied: number
  /** Called when the guard has confirmed another position, or when the connection has ended. */
  readonly waiting: Set<() => void>
}

/**
 * The revocation feed of a fake authority: the log, the key and the roles, in memory. Guards in the same
 * process connect to it as to `authority.feed`, and check it by the same rules.
 */
export class FakeFeed implements FeedLine {
  readonly #issuer: string
  readonly #key: SigningKey
  readonly #signer: Signer
  readonly #connections = new Set<Connection>()
  readonly #batches: WireBatch[] = []
  #head = START
  #roles: Readonly<Record<string, readonly string[]>>

  constructor(issuer: string, key: SigningKey, roles: Readonly<Record<string, readonly string[]>>) {
    this.#issuer = issuer
    this.#key = key
    this.#signer = createSigner(key, { typ: BATCH_TYP })
    this.#roles = roles
  }

  /** The newest position of the log. */
  get position(): number {
    return this.#head.position
  }

  connect(
    _guardId: string,
    receiver: { readonly message: (text: string) => void },
  ): ReturnType<FeedLine['connect']> {
    const connection: Connection = {
      send: (message) => receiver.message(JSON.stringify(message)),
      applied: 0,
      waiting: new Set(),
    }
    this.#connections.add(connection)
    return {
      send: (text) => this.#receive(text, connection),
      close: () => {
        this.#connections.delete(connection)
        for (const check of connection.waiting) check()
      },
    }
  }

  /** Appends an entry to the log. Resolves when every connected guard has applied it. */
  async append(draft: Pick<RevocationEntry, 'kind' | 'subject' | 'strength'>): Promise<void> {
    const entry: RevocationEntry = {
      ...draft,
      position: this.#head.position + 1,
      at: Date.now(),
    }
    const next: LogHead = {
      position: entry.position,
      chain: chainValue(this.#head.chain, entry),
    }
    const batch = this.#batch(this.#head, next, [entry])
    this.#head = next
    this.#batches.push(batch)
    for (const { send } of this.#connections) send({ type: 'batch', ...batch })
    await this.#confirmed(entry.position)
  }

  /** Replaces the permissions of each role. Resolves when every connected guard uses them. */
  async setRoles(roles: Readonly<Record<string, readonly string[]>>): Promise<void> {
    this.#roles = roles
    for (const { send } of this.#connections) send(this.#rolesMessage())
    await this.append({ kind: 'role', subject: 'all', strength: 'soft' })
  }

  #receive(text: string, connection: Connection): void {
    const message = parseGuardMessage(text)
    if (message?.type === 'resume') this.#start(connection)
    if (message?.type === 'nonce') {
      const { position, chain } = this.#head
      connection.send({ type: 'echo', nonce: message.nonce, position, chain: encode(chain) })
    }
    if (message?.type === 'applied') {
      connection.applied = message.position
      for (const check of connection.waiting) check()
    }
  }

  /** A guard that reconnects gets the whole log again: it is short. */
  #start({ send }: Connection): void {
    const jwk = publicJwkOf(verifyingKeyOf(this.#key))
    send({ type: 'keys', jwks: { keys: [jwk] }, killed: [], tag: 'keys' })
    send(this.#rolesMessage())
    send({
      type: 'snapshot',
      floor: START.position,
      chain: encode(START.chain),
      position: this.#head.position,
      retain_ms: RETAIN_MS,
      proof: this.#batch(START, START, []),
    })
    for (const batch of this.#batches) send({ type: 'batch', ...batch })
  }

  #rolesMessage(): AuthorityMessage {
    return { type: 'roles', roles: this.#roles, tag: `roles-${this.#head.position}` }
  }

  #batch(from: LogHead, to: LogHead, entries: readonly RevocationEntry[]): WireBatch {
    const head = this.#signer.sign({
      iss: this.#issuer,
      iat: Math.floor(Date.now() / 1000),
      after: from.position,
      prev: encode(from.chain),
      last: to.position,
      chain: encode(to.chain),
    })
    return { head, mac: NO_MAC, entries: entries.map(toWire) }
  }

  async #confirmed(position: number): Promise<void> {
    await Promise.all([...this.#connections].map((each) => this.#confirmedBy(each, position)))
  }

  #confirmedBy(connection: Connection, position: number): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        const isClosed = !this.#connections.has(connection)
        if (!isClosed && connection.applied < position) return
        connection.waiting.delete(check)
        resolve()
      }
      connection.waiting.add(check)
      connection.send({ type: 'confirm', position })
    })
  }
}

function encode(chain: Uint8Array): string {
  return Buffer.from(chain).toString('base64url')
}
