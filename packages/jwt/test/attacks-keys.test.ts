import {
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  importSigningKey,
  importVerifyingKey,
  keySetFromJwks,
  publicJwkOf,
  type Algorithm,
} from '../src/index.ts'
import { algorithms, keyObjectFor, signingKeyFor } from './tokens.ts'

// If a public key is accepted as an HMAC secret, everybody can sign (CVE-2022-29217, CVE-2023-48223,
// CVE-2026-34950, GHSA-ww5h-9m49-7xx4, GHSA-g3jj-5cmm-3hxx: each bypassed the previous fix).

const publicKeys: Readonly<Record<string, KeyObject>> = {
  RSA: createPublicKey(keyObjectFor('RS256') as KeyObject),
  'P-256': createPublicKey(keyObjectFor('ES256') as KeyObject),
  'P-521': createPublicKey(keyObjectFor('ES512') as KeyObject),
  Ed25519: createPublicKey(keyObjectFor('Ed25519') as KeyObject),
}

const certificateDer = readCertificate()

function readCertificate(): Buffer {
  const url = new URL('./vectors/jwk.json', import.meta.url)
  // Our own file: the certificate of RFC 7517 appendix B.
  const { certificate } = JSON.parse(readFileSync(url, 'utf8')) as {
    certificate: { jwk: { x5c: string[] } }
  }
  return Buffer.from(certificate.jwk.x5c[0] ?? '', 'base64')
}

function pemOf(key: KeyObject, type: 'spki' | 'pkcs1' = 'spki'): string {
  return key.export({ format: 'pem', type }).toString()
}

/** The text of an OpenSSH public key (RFC 4253 §6.6). */
function openSshOf(key: KeyObject): string {
  const { n = '', e = '' } = key.export({ format: 'jwk' })
  const sized = (bytes: Buffer) => {
    const size = Buffer.alloc(4)
    size.writeUInt32BE(bytes.length)
    return Buffer.concat([size, bytes])
  }
  const modulus = Buffer.concat([Buffer.alloc(1), Buffer.from(n, 'base64url')])
  const parts = [Buffer.from('ssh-rsa'), Buffer.from(e, 'base64url'), modulus]
  return `ssh-rsa ${Buffer.concat(parts.map(sized)).toString('base64')} key@host\n`
}

function disguisesOf(text: string): readonly (readonly [name: string, bytes: Buffer])[] {
  const disguises: Record<string, string> = {
    unchanged: text,
    trimmed: text.trim(),
    'after a space': ` ${text}`,
    'after a line end': `\n${text}`,
    'after a byte order mark': `\uFEFF${text}`,
    'behind U+200B': `\u200B${text}`,
    'behind U+00A0': `\u00A0${text}`,
    'behind U+2060': `\u2060${text}`,
    'after a NUL': `\0${text}`,
    'after a comment': `# the key\n${text}`,
    'after attributes': `Bag Attributes\n    friendlyName: key\n${text}`,
    'with CRLF': text.replaceAll('\n', '\r\n'),
    'with CR': text.replaceAll('\n', '\r'),
    'with escaped line ends': text.replaceAll('\n', '\\n'),
    'in quotes': JSON.stringify(text),
    twice: text + text,
    'with text after it': `${text}# end`,
  }
  return [
    ...Object.entries(disguises).map(([name, value]) => [name, Buffer.from(value)] as const),
    ...(['utf16le', 'latin1'] as const).map((code) => [code, Buffer.from(text, code)] as const),
    ['UTF-16BE', Buffer.from(text, 'utf16le').swap16()],
  ]
}

function expectNoSecret(bytes: Uint8Array): void {
  for (const alg of ['HS256', 'HS384', 'HS512'] as const) {
    for (const importKey of [importSigningKey, importVerifyingKey]) {
      expect(() => importKey({ secret: bytes }, { alg })).toThrow(TypeError)
      expect(() => importKey({ keyObject: createSecretKey(bytes) }, { alg })).toThrow(TypeError)
      const jwk = { kty: 'oct', k: Buffer.from(bytes).toString('base64url') }
      expect(() => importKey({ jwk }, { alg })).toThrow(TypeError)
    }
  }
}

describe.each(Object.entries(publicKeys))('the public key of %s as a secret', (name, key) => {
  test.each(disguisesOf(pemOf(key)))('as PEM, %s, is refused', (_name, bytes) => {
    expectNoSecret(bytes)
  })

  test('as DER is refused', () => {
    expectNoSecret(key.export({ format: 'der', type: 'spki' }))
    if (name === 'RSA') expectNoSecret(key.export({ format: 'der', type: 'pkcs1' }))
  })

  test('as the text of a JWK or JWKS, however it is formatted, is refused', () => {
    const jwk = key.export({ format: 'jwk' })
    for (const value of [jwk, { keys: [jwk] }, { ...jwk, alg: 'HS256', use: 'sig' }]) {
      for (const space of [0, 2, '\t']) {
        for (const [, bytes] of disguisesOf(JSON.stringify(value, null, space))) {
          // In quotes and escaped, the text is not a JSON object any more.
          if (!bytes.includes('\\"')) expectNoSecret(bytes)
        }
      }
    }
  })

  test('as the key object itself is refused', () => {
    for (const alg of ['HS256', 'HS384', 'HS512'] as const) {
      expect(() => importVerifyingKey({ keyObject: key }, { alg })).toThrow(TypeError)
      expect(() => importSigningKey({ keyObject: key }, { alg })).toThrow(TypeError)
    }
  })
})

describe('other texts of public keys as a secret', () => {
  const rsa = publicKeys['RSA'] as KeyObject
  const texts = {
    'PKCS#1': pemOf(rsa, 'pkcs1'),
    'a certificate': new X509Certificate(certificateDer).toString(),
    OpenSSH: openSshOf(rsa),
  }
  test.each(
    Object.entries(texts).flatMap(([form, text]) =>
      disguisesOf(text).map(([name, bytes]) => [form, name, bytes] as const),
    ),
  )('%s, %s, is refused', (_form, _name, bytes) => {
    expectNoSecret(bytes)
  })

  test('of all PEM forms only SPKI verifies, and no PEM of a public key signs', () => {
    for (const pem of Object.values(texts)) {
      expect(() => importVerifyingKey({ pem }, { alg: 'RS256' })).toThrow(TypeError)
    }
    expect(() => importSigningKey({ pem: pemOf(rsa) }, { alg: 'RS256' })).toThrow(TypeError)
  })
})

describe('weak secrets', () => {
  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)('%s accepts %i bytes and no fewer', (alg, bytes) => {
    for (let length = 0; length < bytes; length++) {
      expect(() => importSigningKey({ secret: Buffer.alloc(length, 0xa5) }, { alg })).toThrow(
        TypeError,
      )
    }
    expect(importSigningKey({ secret: Buffer.alloc(bytes, 0xa5) }, { alg }).alg).toBe(alg)
  })

  test.each([['a'], ['secret'], ['changeit'], [''], [' '.repeat(64)], ['x'.repeat(64)]])(
    'a secret must be bytes, not text: %j',
    (secret) => {
      for (const alg of ['HS256', 'HS512'] as const) {
        expect(() => importSigningKey({ secret: secret as never }, { alg })).toThrow(TypeError)
      }
    },
  )
})

describe('weak and foreign keys', () => {
  const rsa: Record<string, unknown> = { ...publicJwkOf(signingKeyFor('RS256')) }
  const ec: Record<string, unknown> = { ...publicJwkOf(signingKeyFor('ES256')) }
  const okp: Record<string, unknown> = { ...publicJwkOf(signingKeyFor('Ed25519')) }
  const evenModulus = Buffer.from(String(rsa['n']), 'base64url')
  evenModulus[evenModulus.length - 1] = (evenModulus.at(-1) ?? 0) & 0xfe
  const ed448 = generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' })
  const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey

  test.each<[name: string, alg: Algorithm, jwk: Record<string, unknown>]>([
    ['RSA with the exponent 1', 'RS256', { ...rsa, e: 'AQ' }],
    ['RSA with the exponent 3', 'RS256', { ...rsa, e: 'Aw' }],
    ['RSA with an even exponent', 'RS256', { ...rsa, e: 'AQAC' }],
    ['RSA with an exponent of 65 bits', 'RS256', { ...rsa, e: 'AQAAAAAAAAAB' }],
    ['RSA with an even modulus', 'RS256', { ...rsa, n: evenModulus.toString('base64url') }],
    [
      'RSA of 1024 bits',
      'RS256',
      { ...rsa, n: evenModulus.subarray(0, 128).toString('base64url') },
    ],
    ['a point that is not on its curve', 'ES256', { ...ec, x: ec['y'], y: ec['x'] }],
    ['the point 0, 0', 'ES256', { ...ec, x: 'A'.repeat(43), y: 'A'.repeat(43) }],
    ['secp256k1', 'ES256', { ...k1.export({ format: 'jwk' }), alg: 'ES256', kid: 'k' }],
    ['secp256k1 called P-256', 'ES256', { ...k1.export({ format: 'jwk' }), crv: 'P-256' }],
    ['Ed448', 'Ed25519', { ...ed448, kid: 'k' }],
    ['Ed448 called Ed25519', 'Ed25519', { ...ed448, crv: 'Ed25519' }],
    ['X25519', 'Ed25519', { ...okp, crv: 'X25519' }],
    ['use enc', 'ES256', { ...ec, use: 'enc' }],
    ['use as a list', 'ES256', { ...ec, use: ['sig'] }],
    ['key_ops without verify', 'ES256', { ...ec, key_ops: ['sign'] }],
    ['key_ops empty', 'ES256', { ...ec, key_ops: [] }],
    ['key_ops as text', 'ES256', { ...ec, key_ops: 'verify' }],
    ['a private member', 'ES256', { ...ec, d: ec['x'] }],
    ['an empty private member', 'ES256', { ...ec, d: '' }],
    ['another alg', 'ES256', { ...ec, alg: 'ES384' }],
    ['alg none', 'ES256', { ...ec, alg: 'none' }],
    ['alg as a list', 'ES256', { ...ec, alg: ['ES256'] }],
    ['kty oct', 'ES256', { ...ec, kty: 'oct', k: 'A'.repeat(86) }],
    ['kty as __proto__', 'ES256', { ...ec, kty: '__proto__' }],
  ])('%s is refused as a key, alone or in a set', (_name, alg, jwk) => {
    expect(() => importVerifyingKey({ jwk }, { alg })).toThrow(TypeError)
    expect(keySetFromJwks({ keys: [{ kid: 'k', alg, ...jwk }] })?.keys).toEqual([])
  })

  test('of two keys with the same kid, only the first is used', () => {
    const other = publicJwkOf(
      importSigningKey(
        { keyObject: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
        { alg: 'ES256', kid: 'same' },
      ),
    )
    const set = keySetFromJwks({ keys: [{ ...ec, kid: 'same' }, other] })
    expect(set?.keys).toHaveLength(1)
    expect(set?.keys.map((key) => publicJwkOf(key))).toMatchObject([{ x: ec['x'] }])
  })
})

test.each(algorithms)('%s: an object that only looks like a prepared key is refused', (alg) => {
  const key = signingKeyFor(alg)
  for (const fake of [
    { ...key },
    { alg, kid: 'shared' },
    Object.create(key),
    JSON.stringify(key),
  ]) {
    expect(() => publicJwkOf(fake as never)).toThrow(TypeError)
  }
})

describe('a public key without its PEM lines is refused as an HMAC secret', () => {
  const rsa = createPublicKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
  const spki = rsa.export({ format: 'der', type: 'spki' })
  const ssh = openSshOf(rsa)
  const ec = createPublicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  // An uncompressed point is the last 65 bytes of the SPKI.
  const point = ec.export({ format: 'der', type: 'spki' }).subarray(-65)
  const pointOf = (alg: Algorithm, bytes: number) =>
    createPublicKey(keyObjectFor(alg) as KeyObject)
      .export({ format: 'der', type: 'spki' })
      .subarray(-bytes)
  const jwkText = JSON.stringify(ec.export({ format: 'jwk' }))

  test.each<[string, Buffer]>([
    ['a certificate in DER', certificateDer],
    ['the body of a certificate', Buffer.from(certificateDer.toString('base64'))],
    ['the body of an SPKI', Buffer.from(spki.toString('base64'))],
    ['the body in lines', Buffer.from(spki.toString('base64').replaceAll(/.{64}/g, '$&\n'))],
    ['the body in base64url', Buffer.from(spki.toString('base64url'))],
    ['OpenSSH with a tab', Buffer.from(ssh.replace(' ', '\t'))],
    ['OpenSSH with two spaces', Buffer.from(ssh.replace(' ', '  '))],
    ['OpenSSH with ECDSA', Buffer.from(ssh.replace('ssh-rsa', 'ecdsa-sha2-nistp256'))],
    [
      'OpenSSH with a security key',
      Buffer.from(ssh.replace('ssh-rsa', 'sk-ssh-ed25519@openssh.com')),
    ],
    ['an SPKI in hexadecimal', Buffer.from(spki.toString('hex'))],
    [
      'an SPKI in hexadecimal, in capitals and lines',
      Buffer.from(spki.toString('hex').toUpperCase().replaceAll(/.{64}/g, '$&\n')),
    ],
    ['a point', point],
    ['a point of P-384', pointOf('ES384', 97)],
    ['a point of P-521', pointOf('ES512', 133)],
    ['a point in hexadecimal', Buffer.from(point.toString('hex'))],
    ['a point in base64', Buffer.from(point.toString('base64'))],
    ['a PEM in lower case', Buffer.from(pemOf(rsa).toLowerCase())],
    ['a JWK with an escape', Buffer.from(jwkText.replace('"kty"', String.raw`"\u006bty"`))],
    [
      'a JWKS with escapes',
      Buffer.from(String.raw`{"\u006beys":[${jwkText.replace('kty', String.raw`\u006bty`)}]}`),
    ],
    [
      'a JWK with an escape after a comment',
      Buffer.from(`# key\n${jwkText.replace('"kty"', String.raw`"\u006bty"`)}`),
    ],
    [
      'a JWK with an escape after a space',
      Buffer.from(` ${jwkText.replace('"kty"', String.raw`"\u006bty"`)}`),
    ],
    ['a part of a JWK', Buffer.from(jwkText.slice(1).replace('"kty":', '"kty" \t: '))],
    ['RFC 4716', Buffer.from(`---- BEGIN SSH2 PUBLIC KEY ----\n${ssh.split(' ')[1]}\n`)],
  ])('%s', (_, secret) => {
    expect(() => importVerifyingKey({ secret }, { alg: 'HS256' })).toThrow(TypeError)
  })

  test('secrets that only start like a key are accepted', () => {
    const secrets = [
      Buffer.concat([Buffer.of(0x04), randomBytes(64)]),
      Buffer.concat([Buffer.of(0x30), randomBytes(64)]),
      Buffer.from(randomBytes(48).toString('hex')),
      Buffer.from(randomBytes(48).toString('base64')),
      Buffer.from(`{${randomBytes(24).toString('hex')}}`),
      Buffer.from('{"secret":"0123456789abcdef0123456789abcdef"}'),
    ]
    for (const secret of secrets) {
      expect(importVerifyingKey({ secret }, { alg: 'HS256' }).alg).toBe('HS256')
    }
  })
})
