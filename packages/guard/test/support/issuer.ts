import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Server as NetServer } from 'node:net'

/** The time of every test, in milliseconds. All injected clocks return it. */
export const NOW_MS = Date.UTC(2026, 4, 4, 12)

/** The same time in seconds, for `iat` and `exp`. */
export const NOW_SEC = NOW_MS / 1000

/** A P-256 key that is made and used with node:crypto alone, so that any header and payload can be signed. */
export interface TestKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: Record<string, unknown>
}

/** Makes a key with a random `kid`. */
export function createTestKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kid = randomBytes(32).toString('base64url')
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }
  return { kid, privateKey, jwk }
}

/** Signs a header and payload unchanged. They are objects or raw text. */
export function signRaw(key: TestKey, header: object | string, payload: object | string): string {
  const input = `${encode(header)}.${encode(payload)}`
  const signature = sign('sha256', Buffer.from(input), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  return `${input}.${signature.toString('base64url')}`
}

function encode(part: object | string): string {
  const text = typeof part === 'string' ? part : JSON.stringify(part)
  return Buffer.from(text).toString('base64url')
}

/** The port that a server listens on. */
export function portOf(server: NetServer): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}

/** An issuer with a real HTTP server that publishes its key set. */
export class TestIssuer {
  /** Requests that arrived so far. */
  requests = 0
  /** Replaces the normal answer. */
  answer: RequestListener | undefined
  keys = [createTestKey()]
  #server: Server | undefined
  #port = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get key(): TestKey {
    const key = this.keys.at(-1)
    if (key === undefined) throw new Error('no key')
    return key
  }

  /** Listens. After `stop`, it listens on the same port again. */
  async start(): Promise<this> {
    this.#server = createServer((request, response) => {
      this.requests += 1
      if (this.answer !== undefined) return this.answer(request, response)
      if (request.url !== '/.well-known/jwks.json') return response.writeHead(404).end()
      response.setHeader('content-type', 'application/jwk-set+json')
      return response.end(this.jwks())
    })
    await new Promise<void>((resolve) => {
      this.#server?.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = portOf(this.#server)
    return this
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise((resolve) => {
      this.#server?.close(resolve)
    })
  }

  jwks(): string {
    return JSON.stringify({ keys: this.keys.map((key) => key.jwk) })
  }

  claims(): Record<string, unknown> {
    return {
      iss: this.url,
      sub: 'acc-1',
      aud: this.url,
      exp: NOW_SEC + 300,
      iat: NOW_SEC,
      jti: '0123456789abcdef0123456789abcdef',
      client_id: 'first-party',
      sid: 'ses-1',
      rvp: 7,
      roles: ['reader'],
    }
  }

  /** Makes a token with the newest key. A change to `undefined` removes that claim or header parameter. */
  token(changes: object = {}, header: object = {}, key: TestKey = this.key): string {
    const base = { alg: 'ES256', typ: 'at+jwt', kid: key.kid }
    return signRaw(key, { ...base, ...header }, { ...this.claims(), ...changes })
  }
}
