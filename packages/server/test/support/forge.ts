import { createHmac, createPrivateKey, sign } from 'node:crypto'

import { systemClock } from '../../src/base/clock.ts'
import { createSystemRandom } from '../../src/base/random.ts'
import { createSealer, type Sealer } from '../../src/keys/sealing.ts'
import { readOrCreateSecret } from '../../src/keys/secret.ts'
import type { StoredKey } from '../../src/store/rows.ts'
import { openStore } from '../../src/store/open.ts'
import { databases } from './authority.ts'

/** Signs any claims with the keys of the authority, like an attacker who has stolen them. */
export interface Forge {
  /** HS256 with the key of refresh tokens. A header member that is undefined is left out. */
  refresh(claims: object, header?: object): string
  /** ES256 with the key of access tokens. */
  access(claims: object, header?: object): string
}

/** Opens the keys in the data directory of an authority, running or stopped. */
export async function openForge(dataDir: string): Promise<Forge> {
  const { databaseUrl, secret } = databases.get(dataDir) ?? {}
  const store = await openStore({ dataDir, databaseUrl }, { exclusive: false, clock: systemClock })
  const keys = await store.keys.list()
  await store.close()
  const random = createSystemRandom()
  const secrets = secret === undefined ? readOrCreateSecret(dataDir, random) : secret
  const sealer = createSealer([secrets], random)

  const [accessKey, accessSecret] = openActive(keys, 'access', sealer)
  const privateKey = createPrivateKey({ key: accessSecret, format: 'der', type: 'pkcs8' })
  const [refreshKey, refreshSecret] = openActive(keys, 'refresh', sealer)
  return {
    refresh: (claims, header) =>
      compact({ alg: 'HS256', typ: 'rt+jwt', kid: refreshKey.kid, ...header }, claims, (input) =>
        signHs256(input, refreshSecret),
      ),
    access: (claims, header) =>
      compact({ alg: 'ES256', typ: 'at+jwt', kid: accessKey.kid, ...header }, claims, (input) =>
        sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
      ),
  }
}

/** A token with any header and signature. */
export function compact(
  header: object,
  claims: object,
  signInput: (input: string) => Uint8Array,
): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${Buffer.from(signInput(input)).toString('base64url')}`
}

export function signHs256(input: string, secret: string | Uint8Array): Buffer {
  return createHmac('sha256', secret).update(input).digest()
}

/** The claims of a token, without any check. */
export function claimsOf(token: string): Record<string, unknown> {
  return decode(token, 1)
}

export function headerOf(token: string): Record<string, unknown> {
  return decode(token, 0)
}

function decode(token: string, part: 0 | 1): Record<string, unknown> {
  const value: unknown = JSON.parse(Buffer.from(token.split('.')[part]!, 'base64url').toString())
  if (typeof value !== 'object' || value === null) throw new TypeError('no object in the token')
  return { ...value }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function openActive(
  keys: readonly StoredKey[],
  use: StoredKey['use'],
  sealer: Sealer,
): [StoredKey, Buffer] {
  const key = keys.find((each) => each.use === use && each.state === 'active')
  if (key === undefined) throw new Error(`the store has no active ${use} key`)
  const secret = sealer.open(key.sealed, `signing-key/${use}/${key.alg}/${key.kid}`)
  if (secret === undefined) throw new Error(`the ${use} key does not open`)
  return [key, secret]
}
