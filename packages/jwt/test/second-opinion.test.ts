import * as fc from 'fast-check'
import * as jose from 'jose'
import { describe, expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  keySetFromJwks,
  publicJwkOf,
  signJws,
  verifyingKeyOf,
  verifyJws,
  type Algorithm,
} from '../src/index.ts'
import {
  algorithms,
  encodePart,
  keyObjectFor,
  NOW_MS,
  NOW_SEC,
  secret,
  signEncoded,
  signingKeyFor,
  validClaims,
  verifierFor,
} from './tokens.ts'

// jose is an independent implementation of the same RFCs. This package never accepts what jose refuses. A
// token that only this package refuses must be on the closed list below. interop-jose.test.ts has the valid
// tokens.

type Opinion = 'accepted' | 'refused'

const joseOptions = {
  issuer: 'I',
  audience: 'A',
  typ: 'at+jwt',
  requiredClaims: ['exp'],
  currentDate: new Date(NOW_MS),
}

async function joseKeyFor(alg: Algorithm): Promise<jose.CryptoKey | Uint8Array> {
  if (keyObjectFor(alg) === undefined) return secret
  return await jose.importJWK({ ...publicJwkOf(signingKeyFor(alg)) }, alg)
}

async function opinionOfJose(
  token: string,
  key: jose.CryptoKey | Uint8Array,
  alg: Algorithm,
): Promise<Opinion> {
  try {
    await jose.jwtVerify(token, key, { ...joseOptions, algorithms: [alg] })
    return 'accepted'
  } catch {
    return 'refused'
  }
}

function decodeText(part: string | undefined): string {
  return Buffer.from(part ?? '', 'base64url').toString()
}

function parseOrNothing(text: string): Record<string, unknown> {
  try {
    // The value is only decoded, and only by these rules.
    return (JSON.parse(text) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** A reason to refuse a token that jose accepts, and how to recognise such a token. */
interface Strictness {
  readonly reason: string
  readonly applies: (token: string, header: string, claims: string) => boolean
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

function hasDuplicate(json: string): boolean {
  const names = [...json.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)].map(([, name]) =>
    String(JSON.parse(`"${name}"`)),
  )
  return new Set(names).size < names.length
}

function nestingOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(nestingOf))
}

const strictnesses: readonly Strictness[] = [
  {
    reason: 'base64url has only one spelling for the same bytes (RFC 4648 §3.5)',
    applies: (token) => !token.split('.').every(isCanonical),
  },
  {
    reason: 'a token has at most 8,192 bytes, and its header at most 1,024',
    applies: (token, header) => token.length > 8192 || header.length > 1024,
  },
  {
    reason: 'the member names of an object are unique (RFC 7519 §4)',
    applies: (_token, header, claims) => hasDuplicate(header) || hasDuplicate(claims),
  },
  {
    reason: 'no member is named __proto__',
    applies: (_token, header, claims) => /"__proto__"\s*:/.test(header + claims),
  },
  {
    reason: 'JSON begins with no byte order mark (RFC 8259 §8.1)',
    applies: (_token, header, claims) => header.startsWith('\uFEFF') || claims.startsWith('\uFEFF'),
  },
  {
    reason: 'JSON nests at most 10 levels deep',
    applies: (_token, header, claims) =>
      [header, claims].some((json) => nestingOf(parseOrNothing(json)) > 10),
  },
  {
    reason: 'numbers are finite: 1e400 is too large',
    applies: (_token, header, claims) => /\d[eE]\+?\d{3}/.test(header + claims),
  },
  {
    reason: 'times are 0 to the end of the year 9999',
    applies: (_token, _header, claims) =>
      ['exp', 'nbf', 'iat'].some((name) => {
        const value = parseOrNothing(claims)[name]
        return (
          value !== undefined && !(typeof value === 'number' && value >= 0 && value < 253402300800)
        )
      }),
  },
  {
    reason: 'a token is not issued in the future',
    applies: (_token, _header, claims) => Number(parseOrNothing(claims)['iat']) > NOW_SEC,
  },
  {
    reason: 'sub and jti are text, and so are all entries of aud (RFC 7519 §4.1)',
    applies: (_token, _header, claims) => {
      const { sub = '', jti = '', aud } = parseOrNothing(claims)
      const entries: readonly unknown[] = Array.isArray(aud) ? aud : []
      return [sub, jti, ...entries].some((value) => typeof value !== 'string')
    },
  },
  {
    reason: 'b64 in the header changes what is signed, with or without crit (RFC 7797 §3)',
    applies: (_token, header) => Object.hasOwn(parseOrNothing(header), 'b64'),
  },
  {
    reason: 'a kid has 1 to 64 characters of A-Z a-z 0-9 _ and -',
    applies: (_token, header) => {
      const { kid = 'k' } = parseOrNothing(header)
      return typeof kid !== 'string' || !/^[\w-]{1,64}$/.test(kid)
    },
  },
  {
    reason: 'a kid, if present, is that of the key',
    applies: (_token, header) => Object.hasOwn(parseOrNothing(header), 'kid'),
  },
  {
    reason: 'typ and cty are text, and typ is a media type (RFC 7515 §4.1.9)',
    applies: (_token, header) => {
      const { typ, cty = '' } = parseOrNothing(header)
      return typeof typ !== 'string' || typeof cty !== 'string' || !/^[\w!#$&^.+/-]+$/.test(typ)
    },
  },
]

/** Our result equals that of jose, or is stricter for a reason on the list. */
function expectAgreement(token: string, jose_: Opinion, ours: Opinion): string | undefined {
  if (jose_ === ours) return undefined
  expect(`${jose_} by jose, ${ours} here: ${token.slice(0, 2000)}`).toMatch(/^accepted by jose/)
  const [header, claims] = token.split('.').map(decodeText)
  const rule = strictnesses.find(({ applies }) => applies(token, header ?? '', claims ?? ''))
  expect(rule?.reason, `refused here only: ${token.slice(0, 2000)}`).toBeDefined()
  return rule?.reason
}

// Small changes anywhere in the text, as a list of positions and operations.
const edits = fc.array(
  fc.record({
    at: fc.nat(2000),
    remove: fc.nat(3),
    insert: fc.oneof(
      fc.constantFrom('', '=', '\n', ' ', '.', '+', '/', 'A', 'g', '_', '\u0141', '\uFEFF'),
      fc.string({ maxLength: 3 }),
    ),
  }),
  { minLength: 1, maxLength: 3 },
)

describe.each(algorithms)('%s', (alg) => {
  const key = signingKeyFor(alg)
  const verifier = verifierFor(key)
  const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims({ name: 'Zoë 🦊' }))

  test('an altered token that jose refuses is never accepted', async () => {
    const joseKey = await joseKeyFor(alg)
    await fc.assert(
      fc.asyncProperty(edits, async (list) => {
        let text = token
        for (const { at, remove, insert } of list) {
          const place = at % (text.length + 1)
          text = text.slice(0, place) + insert + text.slice(place + remove)
        }
        const ours = verifier.verify(text).ok ? 'accepted' : 'refused'
        expectAgreement(text, await opinionOfJose(text, joseKey, alg), ours)
      }),
      { numRuns: alg === 'HS256' ? 1000 : 200 },
    )
  })

  test('jose accepts the spelling of the last character that we accept', async () => {
    const joseKey = await joseKeyFor(alg)
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      const text = token.slice(0, -1) + last
      const ours = verifier.verify(text).ok ? 'accepted' : 'refused'
      expect(ours).toBe(text === token ? 'accepted' : 'refused')
      expectAgreement(text, await opinionOfJose(text, joseKey, alg), ours)
    }
  })

  test('bytes that are not a JWT are exchanged in both directions as a compact JWS', async () => {
    const joseKey = await joseKeyFor(alg)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const jws = signJws(bytes, key, { typ: 'bytes' })
        const { payload } = await jose.compactVerify(jws, joseKey, { algorithms: [alg] })
        expect([...payload]).toEqual([...bytes])
        const ours = verifyJws(jws, verifyingKeyOf(key), { typ: 'bytes' })
        expect(ours.ok && [...ours.payload]).toEqual([...bytes])
      }),
      { numRuns: 20 },
    )
  })
})

test('jose can use a JWKS of all our public keys', async () => {
  const asymmetric = algorithms.filter(
    (alg) => !alg.startsWith('HS') && !/^PS|^RS(384|512)/.test(alg),
  )
  const keys = asymmetric.map((alg) => publicJwkOf(signingKeyFor(alg)))
  const joseSet = jose.createLocalJWKSet({ keys: keys.map((jwk) => ({ ...jwk })) })
  const ours = keySetFromJwks({ keys })
  for (const alg of asymmetric) {
    const key = signingKeyFor(alg)
    const token = createSigner(key, { typ: 'at+jwt' }).sign(validClaims())
    const { payload } = await jose.jwtVerify(token, joseSet, joseOptions)
    expect(payload).toEqual(validClaims())
    expect(verifierFor(key, { keys: ours ?? createKeySet([]) }).verify(token).ok).toBe(true)
  }
})

// Any header and any payload with a valid signature: the libraries can only differ in how they read them.
const values = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('I', 'A', ['A'], ['A', 1], 'at+jwt', 'AT+JWT', 'application/at+jwt', 'HS256', [
    'b64',
  ]),
  fc.constantFrom(NOW_SEC, NOW_SEC + 1, NOW_SEC - 1, NOW_SEC + 0.5, 1e13, -1, 0, 1e17, '1', null),
)

function members(required: object, names: readonly string[]) {
  const changes = fc.array(fc.tuple(fc.constantFrom(...names), values), { maxLength: 2 })
  const decorations = fc.constantFrom('', '', '', ' ', '\n', '\uFEFF', 'x')
  return fc.tuple(changes, fc.boolean(), decorations).map(([list, inFront, decoration]) => {
    const written = list.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    // In front of the others, a member may become a duplicate. Otherwise it replaces the original.
    const replaced = new Set(inFront ? [] : list.map(([name]) => name))
    const kept = Object.entries(required)
      .filter(([name]) => !replaced.has(name))
      .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    return `${decoration}{${[...written, ...kept].join(',')}}`
  })
}

test('on validly signed tokens of any content, each difference has a reason on the list', async () => {
  const verifier = verifierFor(signingKeyFor('HS256'))
  const joseKey = await joseKeyFor('HS256')
  const headers = members({ alg: 'HS256', typ: 'at+jwt' }, [
    'alg',
    'typ',
    'kid',
    'cty',
    'crit',
    'b64',
    'jku',
    'jwk',
    'x',
    '__proto__',
  ])
  const payloads = members(validClaims(), [
    'iss',
    'aud',
    'sub',
    'exp',
    'nbf',
    'iat',
    'jti',
    'x',
    '__proto__',
    'constructor',
  ])
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(headers, payloads, async (header, payload) => {
      const token = signEncoded(encodePart(header), encodePart(payload))
      const ours = verifier.verify(token).ok ? 'accepted' : 'refused'
      const reason = expectAgreement(token, await opinionOfJose(token, joseKey, 'HS256'), ours)
      if (reason !== undefined) seen.set(reason, (seen.get(reason) ?? 0) + 1)
    }),
    { numRuns: process.env['LONG_TESTS'] === '1' ? 4000 : 1000 },
  )
  expect(seen.size).toBeGreaterThan(3)
})

// The list is complete, and each entry is used: for each there is a token that jose accepts.
const examples: Readonly<Record<string, readonly [header: string, claims: string]>> = {
  'one spelling': ['', ''],
  '8,192 bytes': ['', `,"pad":"${'x'.repeat(9000)}"`],
  unique: ['', ',"sub":"attacker"'],
  ['__proto__']: ['', ',"__proto__":{}'],
  'byte order mark': ['', ''],
  '10 levels': ['', `,"x":${'['.repeat(11)}${']'.repeat(11)}`],
  '1e400': ['', ',"x":1e400'],
  'year 9999': ['', ',"exp":1e13'],
  'in the future': ['', `,"iat":${NOW_SEC + 1000}`],
  'sub and jti': ['', ',"jti":1'],
  b64: [',"b64":false', ''],
  '1 to 64': [',"kid":"../key"', ''],
  'that of the key': [',"kid":"other"', ''],
  'typ and cty': [',"cty":1', ''],
}

test.each(Object.entries(examples))('refused here only: %s', async (name, [header, claims]) => {
  const start = name === 'byte order mark' ? '\uFEFF{' : '{'
  const rest = Object.entries(validClaims())
    .filter(([member]) => name === 'unique' || !claims.includes(`"${member}"`))
    .map(([member, value]) => `"${member}":${JSON.stringify(value)}`)
  const signed = signEncoded(
    encodePart(`{"alg":"HS256","typ":"at+jwt"${header}}`),
    encodePart(`${start}${rest.join(',')}${claims}}`),
  )
  const token = name === 'one spelling' ? `${signed}=` : signed
  expect(await opinionOfJose(token, secret, 'HS256')).toBe('accepted')
  expect(verifierFor(signingKeyFor('HS256')).verify(token).ok).toBe(false)
  const reason = expectAgreement(token, 'accepted', 'refused')
  expect(reason).toContain(name)
})

test('each entry of the closed list has an example', () => {
  expect(Object.keys(examples)).toHaveLength(strictnesses.length)
})
