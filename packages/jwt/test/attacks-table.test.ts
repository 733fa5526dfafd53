import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  encodeBase64url,
  importSigningKey,
  importVerifyingKey,
  publicJwkOf,
  verifyingKeyOf,
  type Algorithm,
  type Verifier,
} from '../src/index.ts'
import {
  algorithms,
  encodePart,
  hsHeader,
  keyObjectFor,
  NOW_SEC,
  signEncoded,
  signingKeyFor,
  signParts,
  validClaims,
  verifierFor,
} from './tokens.ts'

// Inputs that JWT libraries treat differently from one another, each with the result of this package. At
// least one of fast-jwt, jose and jsonwebtoken accepts most of these tokens.

const hs = signingKeyFor('HS256')
const rs = signingKeyFor('RS256')
const claims = validClaims()
const [header, payload] = [encodePart(hsHeader), encodePart(claims)]
const valid = signEncoded(header, payload)
const rest = JSON.stringify(claims).slice(1)

function answer(token: string, verifier: Verifier = verifierFor(hs)): string {
  const result = verifier.verify(token)
  if (result.ok) return 'accepted'
  return result.claim === undefined ? result.code : `${result.code} ${result.claim}`
}

function answerToClaims(more: object): string {
  return answer(signParts(hsHeader, validClaims(more)))
}

function answerToHeader(more: string): string {
  return answer(signParts(`{"alg":"HS256","typ":"at+jwt"${more}}`, claims))
}

/** The result of importing a value as a key: the kind of error, or that there was no error. */
function answerToImport(act: () => unknown): string {
  try {
    act()
    return 'imported'
  } catch (error) {
    return error instanceof TypeError ? 'TypeError' : String(error)
  }
}

function inputFor(alg: string, more: object = {}): string {
  return `${encodePart({ alg, typ: 'at+jwt', ...more })}.${payload}`
}

function signedWith(secret: string, input: string): string {
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

function publicPem(): string {
  const publicKey = createPublicKey(keyObjectFor('RS256') as KeyObject)
  return publicKey.export({ format: 'pem', type: 'spki' }).toString()
}

function answerToEs256(signature: Uint8Array): string {
  const token = `${inputFor('ES256')}.${encodeBase64url(signature)}`
  return answer(token, verifierFor(signingKeyFor('ES256')))
}

function otherLastCharacter(alg: Algorithm): string {
  const key = signingKeyFor(alg)
  const token = createSigner(key, { typ: 'at+jwt' }).sign(claims)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const next = alphabet.charAt(alphabet.indexOf(token.at(-1) ?? '') + 1)
  const altered = token.slice(0, -1) + next
  expect(Buffer.from(altered.split('.')[2] ?? '', 'base64url')).toEqual(
    Buffer.from(token.split('.')[2] ?? '', 'base64url'),
  )
  return answer(altered, verifierFor(key))
}

function importPublic(keyObject: KeyObject, alg: Algorithm): string {
  return answerToImport(() => importVerifyingKey({ keyObject }, { alg }))
}

const es256Der = sign('sha256', Buffer.from(inputFor('ES256')), keyObjectFor('ES256') as KeyObject)

test.each<[name: string, expected: string, act: () => string]>([
  ['control: valid HS256', 'accepted', () => answer(valid)],
  ['alg none, empty signature', 'token_malformed', () => answer(`${inputFor('none')}.`)],
  ['alg nOnE, empty signature', 'token_malformed', () => answer(`${inputFor('nOnE')}.`)],
  [
    'HS256 signed with the RSA public PEM',
    'algorithm_mismatch',
    () => answer(signedWith(publicPem(), inputFor('HS256')), verifierFor(rs)),
  ],
  [
    'HS256 signed with the RSA public PEM after leading junk',
    'algorithm_mismatch',
    () => answer(signedWith(` \u200B${publicPem()}`, inputFor('HS256')), verifierFor(rs)),
  ],
  [
    'HS256 signed with the RSA public PEM, if keys of both algorithms are known',
    'algorithm_mismatch',
    () => {
      const keys = createKeySet([verifyingKeyOf(rs), verifyingKeyOf(hs)])
      const input = inputFor('HS256', { kid: rs.kid })
      return answer(signedWith(publicPem(), input), verifierFor(rs, { keys }))
    },
  ],
  [
    'the text of a public JWK as HMAC secret',
    'TypeError',
    () => {
      const secret = Buffer.from(JSON.stringify(publicJwkOf(rs)))
      return answerToImport(() => importVerifyingKey({ secret }, { alg: 'HS256' }))
    },
  ],
  ['ES256 with r = s = 0', 'signature_invalid', () => answerToEs256(Buffer.alloc(64))],
  ['ES256 with a DER signature', 'signature_invalid', () => answerToEs256(es256Der)],
  [
    'ES256 header for a P-384 key',
    'algorithm_mismatch',
    () => answer(`${inputFor('ES256')}.AAAA`, verifierFor(signingKeyFor('ES384'))),
  ],
  [
    'a P-384 key for ES256',
    'TypeError',
    () => importPublic(createPublicKey(keyObjectFor('ES384') as KeyObject), 'ES256'),
  ],
  [
    'a secp256k1 key for ES256',
    'TypeError',
    () => importPublic(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey, 'ES256'),
  ],
  [
    'an Ed448 key for Ed25519',
    'TypeError',
    () => importPublic(generateKeyPairSync('ed448').publicKey, 'Ed25519'),
  ],
  [
    'RS256 with RSA-1024',
    'TypeError',
    () => importPublic(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'RS256'),
  ],
  [
    'RS256 signature, last character not canonical',
    'signature_invalid',
    () => otherLastCharacter('RS256'),
  ],
  [
    'HS256 signature, last character not canonical',
    'signature_invalid',
    () => otherLastCharacter('HS256'),
  ],
  ['padding after the signature', 'signature_invalid', () => answer(`${valid}=`)],
  ['a line end after the token', 'signature_invalid', () => answer(`${valid}\n`)],
  ['a space in front of the token', 'header_invalid', () => answer(` ${valid}`)],
  [
    'a character of the payload 256 code points up',
    'signature_invalid',
    () => {
      const at = header.length + 5
      const alias = String.fromCharCode(valid.charCodeAt(at) + 256)
      return answer(valid.slice(0, at) + alias + valid.slice(at + 1))
    },
  ],
  [
    'a signed payload in the standard base64 alphabet',
    'payload_invalid',
    () => answer(signEncoded(header, Buffer.from(`{"x":"???>>>",${rest}`).toString('base64'))),
  ],
  ['four parts', 'token_malformed', () => answer(`${valid}.AAAA`)],
  [
    'a duplicate sub in the payload',
    'payload_invalid',
    () => answer(signParts(hsHeader, `{"sub":"attacker",${rest}`)),
  ],
  ['a duplicate alg in the header', 'header_invalid', () => answerToHeader(',"alg":"HS256"')],
  ['no exp at all', 'claim_missing exp', () => answerToClaims({ exp: undefined })],
  ['exp as a numeric string', 'claim_invalid exp', () => answerToClaims({ exp: '9999999999' })],
  ['exp null', 'claim_invalid exp', () => answerToClaims({ exp: null })],
  [
    'exp 1e400, which is parsed as Infinity',
    'payload_invalid',
    () => answer(signParts(hsHeader, `{"exp":1e400,"iss":"I","aud":"A"}`)),
  ],
  ['exp in the year 300,000', 'claim_invalid exp', () => answerToClaims({ exp: 1e13 })],
  ['exp a list', 'claim_invalid exp', () => answerToClaims({ exp: [NOW_SEC + 300] })],
  ['exp negative', 'claim_invalid exp', () => answerToClaims({ exp: -1 })],
  ['exp with a fraction', 'accepted', () => answerToClaims({ exp: NOW_SEC + 0.5 })],
  ['nbf 1e17, which overflows a Date', 'claim_invalid nbf', () => answerToClaims({ nbf: 1e17 })],
  ['exp equal to now', 'token_expired', () => answerToClaims({ exp: NOW_SEC })],
  ['iat a day ahead', 'token_issued_in_future', () => answerToClaims({ iat: NOW_SEC + 86_400 })],
  ['iss as a list', 'claim_invalid iss', () => answerToClaims({ iss: ['I'] })],
  ['iss missing', 'claim_missing iss', () => answerToClaims({ iss: undefined })],
  ['aud missing', 'claim_missing aud', () => answerToClaims({ aud: undefined })],
  ['aud a list in a list', 'claim_invalid aud', () => answerToClaims({ aud: [['A']] })],
  [
    'crit with an unknown extension',
    'critical_unknown',
    () => answerToHeader(',"crit":["x"],"x":1'),
  ],
  ['crit an empty list', 'critical_unknown', () => answerToHeader(',"crit":[]')],
  ['crit a text', 'critical_unknown', () => answerToHeader(',"crit":"exp"')],
  ['crit null', 'critical_unknown', () => answerToHeader(',"crit":null')],
  ['b64 false without crit', 'critical_unknown', () => answerToHeader(',"b64":false')],
  [
    'a jwk of the attacker in the header',
    'signature_invalid',
    () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const attacker = importSigningKey({ keyObject: privateKey }, { alg: 'ES256' })
      const input = inputFor('ES256', { jwk: publicJwkOf(attacker) })
      const options = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
      const signature = encodeBase64url(sign('sha256', Buffer.from(input), options))
      return answer(`${input}.${signature}`, verifierFor(signingKeyFor('ES256')))
    },
  ],
  ['payload a list', 'payload_invalid', () => answer(signParts(hsHeader, `[{${rest}]`))],
  [
    'payload with invalid UTF-8',
    'payload_invalid',
    () => answer(signParts(hsHeader, Buffer.from(`{"x":"\xff",${rest}`, 'latin1'))),
  ],
  [
    'payload with a byte order mark',
    'payload_invalid',
    () => answer(signParts(hsHeader, `\uFEFF{${rest}`)),
  ],
  [
    '__proto__ in the payload',
    'payload_invalid',
    () => answer(signParts(hsHeader, `{"__proto__":{"admin":true},${rest}`)),
  ],
  [
    'JSON of 100,000 levels',
    'token_too_large',
    () => answer(signParts(hsHeader, `{"x":${'['.repeat(1e5)}${']'.repeat(1e5)},${rest}`)),
  ],
  [
    'JSON of as many levels as fit into a token',
    'payload_invalid',
    () => answer(signParts(hsHeader, `{"x":${'['.repeat(2900)}${']'.repeat(2900)},${rest}`)),
  ],
  [
    'the secret "a", of 8 bits',
    'TypeError',
    () => answerToImport(() => importSigningKey({ secret: Buffer.from('a') }, { alg: 'HS256' })),
  ],
  ['typ missing', 'typ_mismatch', () => answer(signParts({ alg: 'HS256' }, claims))],
  [
    'alg in a list',
    'header_invalid',
    () => answer(signParts({ alg: ['HS256'], typ: 'at+jwt' }, claims)),
  ],
])('%s: %s', (_name, expected, act) => {
  expect(act()).toBe(expected)
})

describe.each(algorithms)('%s', (alg) => {
  const key = signingKeyFor(alg)
  const verifier = verifierFor(key)
  const token = createSigner(key, { typ: 'at+jwt' }).sign(claims)
  const [first = '', second = '', signature = ''] = token.split('.')

  // Decoders that skip unknown characters decode all of these to the same bytes.
  test.each([
    ['one padding', `${signature}=`],
    ['two paddings', `${signature}==`],
    ['three paddings', `${signature}===`],
    ['padding encoded', `${signature}%3D`],
    ['a space after it', `${signature} `],
    ['a space before it', ` ${signature}`],
    ['a tab', `${signature}\t`],
    ['a line end', `${signature}\n`],
    ['CRLF', `${signature}\r\n`],
    ['a line end within', `${signature.slice(0, 9)}\n${signature.slice(9)}`],
    ['a NUL', `${signature}\0`],
    ['a zero-width space', `${signature}\u200B`],
    ['a byte order mark', `\uFEFF${signature}`],
    ['one character more', `${signature}A`],
    ['each character 256 code points up', [...signature].map((c) => shiftUp(c, 256)).join('')],
    ['a full-width last character', signature.slice(0, -1) + shiftUp(signature.slice(-1), 0xfee0)],
  ])('the signature spelled with %s does not pass', (_name, spelled) => {
    expect(verifier.verify(`${first}.${second}.${signature}`).ok).toBe(true)
    expect(verifier.verify(`${first}.${second}.${spelled}`).ok).toBe(false)
    expect(verifier.verify(`${first}.${spelled}.${signature}`).ok).toBe(false)
  })

  test('the standard alphabet does not pass', () => {
    const standard = Buffer.from(signature, 'base64url').toString('base64')
    if (standard !== signature) {
      expect(verifier.verify(`${first}.${second}.${standard}`).ok).toBe(false)
    }
  })

  test('a signature of zeros, of ones or of any other length does not pass', () => {
    const size = Buffer.from(signature, 'base64url').length
    for (const length of [1, 2, size - 1, size, size + 1, 2 * size]) {
      for (const fill of [0, 1, 255]) {
        const forged = encodeBase64url(Buffer.alloc(length, fill))
        expect(answer(`${first}.${second}.${forged}`, verifier)).toBe('signature_invalid')
      }
    }
  })

  test('no other algorithm name in the header passes', () => {
    for (const other of [...algorithms, 'none', 'EdDSA', 'ES256K', 'Ed448', 'HS1', 'RS1', '']) {
      if (other === alg) continue
      const renamed = `${encodePart({ alg: other, typ: 'at+jwt', kid: key.kid })}.${second}`
      expect(answer(`${renamed}.${signature}`, verifier)).toBe('algorithm_mismatch')
    }
  })
})

function shiftUp(character: string, by: number): string {
  return String.fromCharCode(character.charCodeAt(0) + by)
}
