import { createHmac } from 'node:crypto'

import { ISSUER, type Answering, type Pair, type TestAuthority } from './authority.ts'
import { readAnswer, type Answer } from './contract.ts'

const PERIOD_MS = 30_000
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** What an authenticator app with this secret in Base32 shows (RFC 6238), `steps` periods from `nowMs`. */
export function totpAt(secret: string, nowMs: number, steps = 0): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / PERIOD_MS) + steps))
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest()
  const offset = mac.readUInt8(19) & 15
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000
  return String(number).padStart(6, '0')
}

/** Writes bytes as Base32 (RFC 4648 §6), without padding. */
export function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const groups = bits.match(/.{1,5}/g) ?? []
  return groups.map((each) => BASE32[Number.parseInt(each.padEnd(5, '0'), 2)]).join('')
}

function fromBase32(text: string): Buffer {
  const bits = [...text].map((each) => BASE32.indexOf(each).toString(2).padStart(5, '0')).join('')
  const bytes = bits.match(/.{8}/g) ?? []
  return Buffer.from(bytes.map((each) => Number.parseInt(each, 2)))
}

/** Sends a request with an access token. */
export async function callWith(
  { authority }: Answering,
  access: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await authority.fetch(
    new Request(`${ISSUER}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${access}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
    { address: '203.0.113.7' },
  )
  return readAnswer(response)
}

/** An enrolled authenticator app. */
export interface App {
  /** In Base32. */
  readonly secret: string
  readonly recoveryCodes: readonly string[]
  /** The access token of the session that enrolled it. */
  readonly access: string
}

/** Enrols an authenticator app for the account of a session. The code of the enrolment is used up. */
export async function enrolApp(
  it: Answering & Pick<TestAuthority, 'clock'>,
  { access }: Pick<Pair, 'access'>,
): Promise<App> {
  const begun = await callWith(it, access, 'POST', '/auth/factors/totp/challenge')
  if (begun.status !== 200) throw new Error(begun.text)
  const { challenge, secret } = JSON.parse(begun.text) as { challenge: string; secret: string }
  const code = totpAt(secret, it.clock.nowMs())
  const added = await callWith(it, access, 'POST', '/auth/factors/totp', { challenge, code })
  if (added.status !== 200) throw new Error(added.text)
  const { access: next = access, recovery_codes: recoveryCodes = [] } = JSON.parse(added.text) as {
    access?: string
    recovery_codes?: readonly string[]
  }
  return { secret, recoveryCodes, access: next }
}
