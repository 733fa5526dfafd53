import { generateKeyPairSync, sign } from 'node:crypto'

import { jwkThumbprint } from '@countersign/jwt'
import fc from 'fast-check'
import * as jose from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'

import { createDpopChecker, type DpopChecker, type DpopRequest } from '../../src/dpop.ts'
import { athOf, DpopHolder } from '../support/dpop.ts'
import { createTestKey, NOW_MS, NOW_SEC, signRaw } from '../support/issuer.ts'

const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
const URL_OF_ME = 'https://api.example/me'

let now = NOW_MS
const holder = new DpopHolder()
beforeEach(() => {
  now = NOW_MS
})

function newChecker(): DpopChecker {
  return createDpopChecker({ clock: () => now })
}

async function reasonOf(
  proofs: readonly string[],
  request: Partial<DpopRequest> = {},
  checker = newChecker(),
): Promise<string> {
  const result = await checker.check({ proofs, method: 'GET', url: URL_OF_ME, ...request })
  if (result.ok) return 'ok'
  expect(result).toMatchObject({ isDpop: true })
  const isOfKey = result.reason === 'dpop_key_mismatch'
  expect(result.code).toBe(isOfKey ? 'token_invalid' : 'dpop_proof_invalid')
  return result.reason
}

test('a proof is accepted, and its key is named', async () => {
  const proofs = [holder.proof({ ath: athOf(TOKEN) })]
  const request = { proofs, method: 'GET', url: URL_OF_ME, token: TOKEN, jkt: holder.jkt }
  expect(await newChecker().check(request)).toEqual({ ok: true, jkt: holder.jkt })
})

describe('the examples of RFC 9449', () => {
  const HEADER =
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19'
  /** The key of the examples, and its thumbprint in section 6.1. */
  const JWK = {
    kty: 'EC',
    x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
    y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
    crv: 'P-256',
  }
  const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
  // Section 4.1, and section 7.1 with its access token.
  const OF_TOKEN = `${HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg`
  const OF_RESOURCE = `${HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA`

  const checkAt = (sec: number): DpopChecker => createDpopChecker({ clock: () => sec * 1000 })

  test('the key has the thumbprint that access tokens are bound to', () => {
    expect(jwkThumbprint(JWK)).toBe(JKT)
  })

  test('the proof for a token endpoint', async () => {
    const request = { proofs: [OF_TOKEN], method: 'POST', url: 'https://server.example.com/token' }
    expect(await checkAt(1_562_262_616).check(request)).toEqual({ ok: true, jkt: JKT })
    const elsewhere = { ...request, url: 'https://server.example.net/token' }
    expect(await checkAt(1_562_262_616).check(elsewhere)).toMatchObject({ reason: 'dpop_htu' })
  })

  test('the proof for a resource, with the hash of its token', async () => {
    const url = 'https://resource.example.org/protectedresource'
    const request = { proofs: [OF_RESOURCE], method: 'GET', url, token: TOKEN, jkt: JKT }
    expect(await checkAt(1_562_262_618).check(request)).toEqual({ ok: true, jkt: JKT })
    expect(await checkAt(1_562_262_618).check({ ...request, token: `${TOKEN}x` })).toMatchObject({
      reason: 'dpop_ath',
    })
  })
})

const other = new DpopHolder()
const { d: _d, ...rsaJwk } = generateKeyPairSync('rsa', {
  modulusLength: 1024,
}).privateKey.export({ format: 'jwk' })
const privateJwk = { ...holder.jwk, d: holder.key.privateKey.export({ format: 'jwk' }).d }

/** Replaces one character of a text. */
function spoil(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
}

/** Proofs that differ from an accepted one in one respect, each with the reason of its refusal. */
const mutated: ReadonlyArray<readonly [what: string, reason: string, proof: () => string]> = [
  ['has another typ', 'dpop_typ_mismatch', () => holder.proof({}, { typ: 'JWT' })],
  ['is an access token', 'dpop_typ_mismatch', () => holder.proof({}, { typ: 'at+jwt' })],
  ['has no typ', 'dpop_typ_mismatch', () => holder.proof({}, { typ: undefined })],
  ['has no algorithm', 'dpop_algorithm', () => holder.proof({}, { alg: 'none' })],
  ['has a symmetric algorithm', 'dpop_algorithm', () => holder.proof({}, { alg: 'HS256' })],
  ['has the algorithm of another key', 'dpop_key', () => holder.proof({}, { alg: 'ES384' })],
  ['has no key', 'dpop_key', () => holder.proof({}, { jwk: undefined })],
  ['has a key that is a text', 'dpop_key', () => holder.proof({}, { jwk: holder.jkt })],
  ['contains the private key', 'dpop_key', () => holder.proof({}, { jwk: privateJwk })],
  [
    'has a shared secret for a key',
    'dpop_key',
    () => holder.proof({}, { jwk: { kty: 'oct', k: 'AAAA' } }),
  ],
  [
    'has an RSA key of 1024 bits',
    'dpop_key',
    () => holder.proof({}, { alg: 'RS256', jwk: rsaJwk }),
  ],
  [
    'has a point that is not on the curve',
    'dpop_key',
    () => holder.proof({}, { jwk: { ...holder.jwk, y: holder.jwk['x'] } }),
  ],
  [
    'has another spelling of the key',
    'dpop_key',
    () => holder.proof({}, { jwk: { ...holder.jwk, x: `${String(holder.jwk['x'])}=` } }),
  ],
  [
    'is signed by another key',
    'dpop_signature_invalid',
    () => other.proof({}, { jwk: holder.jwk }),
  ],
  ['demands an extension', 'dpop_critical_unknown', () => holder.proof({}, { crit: ['exp'] })],
  [
    'has another payload than the signed one',
    'dpop_signature_invalid',
    () => {
      const [header, , signature] = holder.proof().split('.')
      return `${header}.${holder.proof({ htm: 'PUT' }).split('.')[1]}.${signature}`
    },
  ],
  ['ends with a padding', 'dpop_token_malformed', () => `${holder.proof()}=`],
  ['has four parts', 'dpop_token_malformed', () => `${holder.proof()}.x`],
  ['is longer than 4096 bytes', 'dpop_too_large', () => holder.proof({ x: 'x'.repeat(3000) })],
  [
    'has a claim twice',
    'dpop_payload_invalid',
    () => {
      const text = `{"jti":"a","htm":"GET","htm":"POST","htu":"${URL_OF_ME}","iat":${NOW_SEC}}`
      return signRaw(holder.key, { typ: 'dpop+jwt', alg: 'ES256', jwk: holder.jwk }, text)
    },
  ],
  ['is for another method', 'dpop_htm', () => holder.proof({ htm: 'POST' })],
  ['has the method in lower case', 'dpop_htm', () => holder.proof({ htm: 'get' })],
  ['has no method', 'dpop_htm', () => holder.proof({ htm: undefined })],
  ['is for another path', 'dpop_htu', () => holder.proof({ htu: 'https://api.example/you' })],
  ['is for another host', 'dpop_htu', () => holder.proof({ htu: 'https://evil.example/me' })],
  ['is for plain http', 'dpop_htu', () => holder.proof({ htu: 'http://api.example/me' })],
  ['is for another port', 'dpop_htu', () => holder.proof({ htu: 'https://api.example:8443/me' })],
  ['is for a path only', 'dpop_htu', () => holder.proof({ htu: '/me' })],
  [
    'has credentials in its URL',
    'dpop_htu',
    () => holder.proof({ htu: 'https://a@api.example/me' }),
  ],
  ['has a URL with a line end', 'dpop_htu', () => holder.proof({ htu: `${URL_OF_ME}\n` })],
  ['has no URL', 'dpop_htu', () => holder.proof({ htu: undefined })],
  ['has a list of URLs', 'dpop_htu', () => holder.proof({ htu: [URL_OF_ME] })],
  ['has no jti', 'dpop_jti', () => holder.proof({ jti: undefined })],
  ['has an empty jti', 'dpop_jti', () => holder.proof({ jti: '' })],
  ['has a jti of 257 characters', 'dpop_jti', () => holder.proof({ jti: 'x'.repeat(257) })],
  ['has a jti that is a number', 'dpop_jti', () => holder.proof({ jti: 7 })],
  ['has no iat', 'dpop_iat', () => holder.proof({ iat: undefined })],
  ['has an iat that is a text', 'dpop_iat', () => holder.proof({ iat: String(NOW_SEC) })],
  ['is 61 s old', 'dpop_iat', () => holder.proof({ iat: NOW_SEC - 61 })],
  ['is 61 s ahead', 'dpop_iat', () => holder.proof({ iat: NOW_SEC + 61 })],
]

describe('a proof is refused if it', () => {
  test.each(mutated)('%s: %s', async (_what, reason, proof) => {
    expect(await reasonOf([proof()])).toBe(reason)
    // The unchanged proof is accepted, so the change alone is the reason.
    expect(await reasonOf([holder.proof()])).toBe('ok')
  })

  test('has no hash of the token, or of another one', async () => {
    expect(await reasonOf([holder.proof()], { token: TOKEN })).toBe('dpop_ath')
    expect(await reasonOf([holder.proof({ ath: athOf('x') })], { token: TOKEN })).toBe('dpop_ath')
    expect(await reasonOf([holder.proof({ ath: TOKEN })], { token: TOKEN })).toBe('dpop_ath')
    expect(await reasonOf([holder.proof({ ath: athOf(TOKEN) })], { token: TOKEN })).toBe('ok')
  })

  test('is of another key than the token is bound to', async () => {
    expect(await reasonOf([other.proof()], { jkt: holder.jkt })).toBe('dpop_key_mismatch')
    expect(await reasonOf([other.proof()], { jkt: other.jkt })).toBe('ok')
  })

  test('is missing, repeated, empty or no proof', async () => {
    expect(await reasonOf([])).toBe('dpop_absent')
    expect(await reasonOf([holder.proof(), holder.proof()])).toBe('dpop_repeated')
    expect(await reasonOf([`${holder.proof()}, ${holder.proof()}`])).toBe('dpop_repeated')
    for (const text of ['', 'x', '..', 'a.b.c', '\u0000', 'é.é.é', '{}']) {
      expect(await reasonOf([text])).toMatch(/^dpop_(?:token_malformed|header_invalid)$/)
    }
  })
})

describe('the age of a proof', () => {
  test.each([
    ['the oldest', -60_000, 'ok'],
    ['too old', -60_001, 'dpop_iat'],
    ['the farthest ahead', 60_000, 'ok'],
    ['too far ahead', 60_001, 'dpop_iat'],
  ])('%s', async (_what, differenceMs, expected) => {
    const proof = holder.proof()
    now = NOW_MS - differenceMs
    expect(await reasonOf([proof])).toBe(expected)
  })

  test('has its own limit', async () => {
    const checker = createDpopChecker({ clock: () => NOW_MS, maxAgeSec: 5 })
    expect(await reasonOf([holder.proof({ iat: NOW_SEC - 5 })], {}, checker)).toBe('ok')
    expect(await reasonOf([holder.proof({ iat: NOW_SEC - 6 })], {}, checker)).toBe('dpop_iat')
  })
})

describe('a proof is accepted', () => {
  test('once, as long as it is young', async () => {
    const checker = newChecker()
    const proof = holder.proof({ iat: NOW_SEC + 60 })
    expect(await reasonOf([proof], {}, checker)).toBe('ok')
    now = NOW_MS + 120_000
    expect(await reasonOf([proof], {}, checker)).toBe('dpop_replayed')
    now = NOW_MS + 120_001
    expect(await reasonOf([proof], {}, checker)).toBe('dpop_iat')
  })

  test('any number of times where it may be repeated, and then once more', async () => {
    const checker = newChecker()
    const proof = holder.proof()
    expect(await reasonOf([proof], { mayRepeat: true }, checker)).toBe('ok')
    expect(await reasonOf([proof], { mayRepeat: true }, checker)).toBe('ok')
    expect(await reasonOf([proof], {}, checker)).toBe('ok')
    expect(await reasonOf([proof], {}, checker)).toBe('dpop_replayed')
    const old = holder.proof({ iat: NOW_SEC - 61 })
    expect(await reasonOf([old], { mayRepeat: true }, checker)).toBe('dpop_iat')
  })

  test('once of fifty at the same time', async () => {
    const checker = newChecker()
    const proof = holder.proof()
    const all = Array.from({ length: 50 }, () => reasonOf([proof], {}, checker))
    const reasons = await Promise.all(all)
    expect(reasons.filter((reason) => reason === 'ok')).toHaveLength(1)
    expect(reasons.filter((reason) => reason === 'dpop_replayed')).toHaveLength(49)
  })

  test('although another key has used the same jti', async () => {
    const checker = newChecker()
    expect(await reasonOf([holder.proof({ jti: 'same' })], {}, checker)).toBe('ok')
    expect(await reasonOf([other.proof({ jti: 'same' })], {}, checker)).toBe('ok')
    const again = holder.proof({ jti: 'same', iat: NOW_SEC + 1 })
    expect(await reasonOf([again], {}, checker)).toBe('dpop_replayed')
  })

  test.each([
    'https://api.example/me?a=1',
    'https://api.example/me#x',
    'https://api.example:443/me',
    'HTTPS://API.example/me',
    'https://api.example/%6de',
    'https://api.example/x/../me',
  ])('for the same URL in another spelling: %s', async (htu) => {
    expect(await reasonOf([holder.proof({ htu })])).toBe('ok')
    expect(await reasonOf([holder.proof()], { url: htu })).toBe('ok')
  })

  test.each(['application/dpop+jwt', 'DPoP+JWT'])('with the typ %s', async (typ) => {
    expect(await reasonOf([holder.proof({}, { typ })])).toBe('ok')
  })

  test('with members of the JWK that only describe it', async () => {
    const jwk = { ...holder.jwk, kid: 'any name', use: 'sig', key_ops: ['verify'], ext: true }
    expect(await reasonOf([holder.proof({}, { jwk })])).toBe('ok')
    expect(await reasonOf([holder.proof({}, { kid: 'k-1' })])).toBe('ok')
    const forEncryption = { ...holder.jwk, use: 'enc' }
    expect(await reasonOf([holder.proof({}, { jwk: forEncryption })])).toBe('dpop_key')
  })
})

describe('proofs of an independent implementation', () => {
  test.each(['ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA', 'PS256', 'RS256'])(
    '%s',
    async (alg) => {
      const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true })
      const jwk = await jose.exportJWK(publicKey)
      const proof = await new jose.SignJWT({ htm: 'GET', htu: URL_OF_ME, jti: 'j', iat: NOW_SEC })
        .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk })
        .sign(privateKey)
      const result = await newChecker().check({ proofs: [proof], method: 'GET', url: URL_OF_ME })
      expect(result).toEqual({ ok: true, jkt: await jose.calculateJwkThumbprint(jwk) })
      const only = createDpopChecker({ clock: () => now, algorithms: ['PS512'] })
      expect(await reasonOf([proof], {}, only)).toBe('dpop_algorithm')
    },
  )
})

describe('any change of a proof', () => {
  test('of one character makes it invalid', async () => {
    const proof = holder.proof()
    const at = fc.integer({ min: 0, max: proof.length - 1 })
    await fc.assert(
      fc.asyncProperty(at, async (index) => {
        expect(await reasonOf([spoil(proof, index)])).not.toBe('ok')
      }),
    )
  })

  test('to any text never throws and is never accepted', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    )
    await fc.assert(
      fc.asyncProperty(fc.tuple(part, part, part), async (parts) => {
        expect(await reasonOf([parts.join('.')])).not.toBe('ok')
      }),
    )
  })

  test('of header and claims is accepted only if they are right', async () => {
    const claims = fc.record(
      {
        htm: fc.constantFrom('GET', 'POST', 'get', 1, null),
        htu: fc.constantFrom(URL_OF_ME, `${URL_OF_ME}/`, 'https://api.example', null),
        iat: fc.constantFrom(NOW_SEC, NOW_SEC - 61, '1', null, -1),
        jti: fc.constantFrom('', 'a', null, ['a']),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(claims, async (changes) => {
        const whole = { htm: 'GET', htu: URL_OF_ME, iat: NOW_SEC, jti: 'j', ...changes }
        const isRight =
          whole.htm === 'GET' &&
          whole.htu === URL_OF_ME &&
          whole.iat === NOW_SEC &&
          typeof whole.jti === 'string' &&
          whole.jti !== ''
        expect((await reasonOf([holder.proof(changes)])) === 'ok').toBe(isRight)
      }),
    )
  })
})

test('the signature may be that of a known key only over its own proof', async () => {
  const checker = newChecker()
  expect(await reasonOf([holder.proof()], {}, checker)).toBe('ok')
  // The header of an accepted proof is remembered with its key. Another signature under it is still refused.
  const [header, payload] = holder.proof().split('.')
  const forged = sign('sha256', Buffer.from(`${header}.${payload}`), {
    key: createTestKey().privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  const proof = `${header}.${payload}.${forged.toString('base64url')}`
  expect(await reasonOf([proof], {}, checker)).toBe('dpop_signature_invalid')
})

test('a wrong option or URL throws a TypeError that names it', async () => {
  expect(() => createDpopChecker({ maxAgeSec: 1 })).toThrow(/createDpopChecker: dpop\.maxAgeSec/)
  expect(() => createDpopChecker({ age: 1 } as object)).toThrow(/age is not known/)
  const check = newChecker().check({ proofs: [], method: 'GET', url: '/me' })
  await expect(check).rejects.toThrow('url must be')
})
