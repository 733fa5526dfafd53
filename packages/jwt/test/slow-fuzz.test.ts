import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  createKeySet,
  createSigner,
  createVerifier,
  decodeUnverified,
  importSigningKey,
  refusals,
  verifyingKeyOf,
  verifyJws,
  type SigningKey,
  type Verifier,
} from '../src/index.ts'
import { signingMaterialOf } from '../src/key/key.ts'
import { encodePart, NOW_MS, validClaims } from './tokens.ts'

// Tests a hundred thousand altered tokens, or a million with LONG_TESTS. The same seed produces the same
// tokens. The keys are those that the RFCs publish, so that anybody can verify a token that passes.
const SEED = Number(process.env['JWT_FUZZ_SEED'] ?? 7515)
const TOKENS = process.env['LONG_TESTS'] === '1' ? 1_000_000 : 100_000

const plan = [
  { alg: 'HS256', key: 'RFC 7515 A.1', share: 0.88 },
  { alg: 'RS256', key: 'RFC 7520 3.4', share: 0.04 },
  { alg: 'PS256', key: 'RFC 7520 3.4', share: 0.03 },
  { alg: 'ES256', key: 'RFC 7515 A.3', share: 0.03 },
  { alg: 'Ed25519', key: 'RFC 8037 A.1', share: 0.02 },
] as const

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const STRANGE = ['.', '=', '+', '/', ' ', '\n', '\0', '"', '{', 'é', '\u0141', '\u200B', '\uD800']
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** Random numbers from one seed (mulberry32). */
function createRandom(seed: number) {
  let state = seed >>> 0
  /** A whole number from 0 to `below` - 1. */
  function integer(below: number): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
  function pick<Item>(items: ArrayLike<Item>): Item {
    const item = items[integer(items.length)]
    if (item === undefined) throw new Error('picked from nothing')
    return item
  }
  return { integer, pick }
}

type Random = ReturnType<typeof createRandom>
type Mutation = (token: string, random: Random, others: readonly string[]) => string

function replaceAt(text: string, at: number, replacement: string): string {
  return text.slice(0, at) + replacement + text.slice(at + 1)
}

function withCode(text: string, at: number, change: (code: number) => number): string {
  return replaceAt(text, at, String.fromCharCode(change(text.charCodeAt(at))))
}

function mapPart(token: string, index: number, change: (part: string) => string): string {
  return token
    .split('.')
    .map((part, at) => (at === index ? change(part) : part))
    .join('.')
}

function mapJson(token: string, index: number, change: (json: string) => string): string {
  return mapPart(token, index, (part) =>
    encodePart(change(Buffer.from(part, 'base64url').toString())),
  )
}

/** Ways to write a header or payload differently. The first six do not change the meaning of JSON. */
const respellings: readonly ((json: string) => string)[] = [
  (json) => `${json} `,
  (json) => ` ${json}`,
  (json) => json.replace(',', ', '),
  (json) => json.replace(':', ' :\n'),
  (json) => JSON.stringify(JSON.parse(json), null, 1),
  (json) =>
    json.replace(/"(\w)/, (_, first: string) => `"\\u00${first.charCodeAt(0).toString(16)}`),
  (json) => json.replace('{', '{"sub":"attacker",'),
  (json) => json.replace('{', '{"alg":"none",'),
  (json) => json.replace('}', ',"s\\u0075b":"attacker"}'),
  (json) => json.replace('{', '{"__proto__":{"sub":"attacker"},'),
  (json) => json.replace('{', '{"crit":["b64"],"b64":false,'),
  (json) => `\uFEFF${json}`,
  (json) => `[${json}]`,
]

const mutations: Readonly<Record<string, Mutation>> = {
  flipBit: (token, random) =>
    withCode(token, random.integer(token.length), (code) => code ^ (1 << random.integer(16))),
  otherCharacter: (token, random) =>
    replaceAt(token, random.integer(token.length), random.pick(BASE64URL)),
  strangeCharacter: (token, random) =>
    replaceAt(token, random.integer(token.length), random.pick(STRANGE)),
  // A writer that keeps only the low byte turns c and c+256 into the same byte.
  sameLowByte: (token, random) =>
    withCode(token, random.integer(token.length), (code) => code + 256 * (1 + random.integer(255))),
  allSameLowByte: (token, random) => {
    const [from, length] = [random.integer(token.length), 1 + random.integer(40)]
    const alias = (text: string) => text.replace(/[^.]/g, (c) => fromCode(c.charCodeAt(0) + 256))
    return (
      token.slice(0, from) + alias(token.slice(from, from + length)) + token.slice(from + length)
    )
  },
  severalBits: (token, random) => {
    let altered = token
    for (let count = 2 + random.integer(7); count > 0; count--) {
      altered = withCode(altered, random.integer(token.length), (c) => c ^ (1 << random.integer(7)))
    }
    return altered
  },
  otherCase: (token, random) => {
    const at = random.integer(token.length)
    const letter = token.charAt(at)
    const lower = letter.toLowerCase()
    return replaceAt(token, at, letter === lower ? letter.toUpperCase() : lower)
  },
  truncate: (token, random) => {
    const [from, to] = [random.integer(token.length), random.integer(token.length)]
    return random.pick([
      token.slice(0, to),
      token.slice(from),
      token.slice(0, from) + token.slice(to),
    ])
  },
  duplicate: (token, random) => {
    const [from, length, at] = [
      random.integer(token.length),
      1 + random.integer(60),
      random.integer(token.length + 1),
    ]
    return token.slice(0, at) + token.slice(from, from + length) + token.slice(at)
  },
  swapParts: (token, random, others) => {
    const pool = [token, random.pick(others), random.pick(others)].flatMap((text) =>
      text.split('.'),
    )
    return Array.from({ length: 3 }, () => random.pick(pool)).join('.')
  },
  mixTokens: (token, random, others) => {
    const other = random.pick(others).split('.')
    return token
      .split('.')
      .map((part, at) => (random.integer(2) === 0 ? part : (other[at] ?? '')))
      .join('.')
  },
  splice: (token, random, others) => {
    const other = random.pick(others)
    return token.slice(0, random.integer(token.length)) + other.slice(random.integer(other.length))
  },
  respellJson: (token, random) => mapJson(token, random.integer(2), random.pick(respellings)),
  otherAlgorithm: (token, random) =>
    mapJson(token, 0, (json) =>
      json.replace(
        /"alg":"\w+"/,
        `"alg":${random.pick(['"none"', '"HS256"', '"RS256"', '["HS256"]'])}`,
      ),
    ),
  respellBase64: (token, random) =>
    mapPart(token, random.integer(3), (part) =>
      random.pick([
        `${part}=`,
        `${part}==`,
        `${part}A`,
        ` ${part}`,
        `${part}\n`,
        part.replace(/[-_]/, (c) => (c === '-' ? '+' : '/')),
        Buffer.from(part, 'base64url').toString('base64'),
        part.slice(0, -1) + random.pick(BASE64URL),
        part.slice(0, 4) + random.pick(STRANGE) + part.slice(4),
      ]),
    ),
  randomText: (_token, random) => {
    const alphabet = random.pick([`${BASE64URL}..`, `${BASE64URL}${STRANGE.join('')}`, '.', 'A.'])
    return Array.from({ length: random.integer(400) }, () => random.pick(alphabet)).join('')
  },
  randomUnicode: (_token, random) =>
    Array.from({ length: random.integer(100) }, () => fromCode(random.integer(65_536))).join(''),
  manyDots: (token, random) => {
    const dots = '.'.repeat(1 + random.integer(300))
    return random.pick([dots, token + dots, dots + token, token.replaceAll('.', dots)])
  },
}

// Making these costs more than refusing them, so they occur once in 500 tokens.
const heavyMutations: Readonly<Record<string, Mutation>> = {
  toTheLimit: (token, random) => {
    const length = 8191 + random.integer(3)
    return random.pick([
      token.padEnd(length, 'A'),
      token.padStart(length, 'A'),
      mapPart(token, 1, (part) => part + 'A'.repeat(Math.max(0, length - token.length))),
      'A'.repeat(length),
      '.'.repeat(length),
      'é'.repeat(length),
    ])
  },
  megabyte: (token, random) => random.pick(megabytes) + token,
  deepPayload: (token, random) => {
    const depth = 1 + random.integer(2500)
    return mapPart(token, random.integer(2), () =>
      encodePart(`{"x":${random.pick(['[', '{"x":'] as const).repeat(depth)}`),
    )
  },
}

const megabytes = ['A', '.', 'é', '\0', '{"x":'].map((text) => text.repeat(1_000_000 / text.length))

function fromCode(code: number): string {
  return String.fromCharCode(code % 65_536)
}

interface Subject {
  readonly key: SigningKey
  readonly verifiers: readonly Verifier[]
  readonly tokens: readonly string[]
}

function subjectFor(alg: (typeof plan)[number]['alg'], name: string): Subject {
  const url = new URL('./vectors/signing-keys.json', import.meta.url)
  // Our own file of published keys.
  const keys = JSON.parse(readFileSync(url, 'utf8')) as Record<string, object>
  const key = importSigningKey({ jwk: { ...keys[name], kid: 'fuzz' } }, { alg })
  const options = { typ: 'at+jwt', issuer: 'I', audience: 'A', clock: () => NOW_MS }
  const single = createVerifier({ ...options, keys: verifyingKeyOf(key) })
  const set = createVerifier({ ...options, keys: createKeySet([verifyingKeyOf(key)]) })
  const cached = createVerifier({ ...options, keys: verifyingKeyOf(key), cacheEntriesMax: 64 })
  const signer = createSigner(key, { typ: 'at+jwt' })
  const tokens = Array.from({ length: 8 }, (_, at) =>
    signer.sign(validClaims({ jti: `token-${at}`, name: 'Zoë 🦊'.repeat(at), scope: ['a', 'b'] })),
  )
  return { key, verifiers: [single, set, cached], tokens }
}

/** Returns what is wrong with the results for this text, or undefined. */
function findFault(text: string, subject: Subject, at: number): string | undefined {
  const verifier = subject.verifiers[at % 3]
  const isGenuine = subject.tokens.includes(text)
  try {
    const result = verifier?.verify(text)
    if (result?.ok !== isGenuine) return `verify returned ${String(result?.ok)}`
    if (!result.ok && !Object.hasOwn(refusals, result.code)) return `unknown code ${result.code}`
    if (at % 8 > 0) return undefined
    // Calls the other readers less often.
    decodeUnverified(text)
    if (verifyJws(text, verifyingKeyOf(subject.key)).ok !== isGenuine) return 'verifyJws differs'
  } catch (error) {
    return `thrown: ${String(error)}`
  }
  return undefined
}

test.each(plan)('$alg: no altered token passes or causes an error', (entry) => {
  const { alg, key, share } = entry
  const subject = subjectFor(alg, key)
  for (const token of subject.tokens) {
    for (const verifier of subject.verifiers) expect(verifier.verify(token).ok).toBe(true)
  }

  const random = createRandom(SEED)
  const light = Object.entries(mutations)
  const heavy = Object.entries(heavyMutations)
  const count = Math.round(TOKENS * share)
  const counts = new Map<string, number>()
  let unchanged = 0
  for (let at = 0; at < count + unchanged; at++) {
    const [name, mutate] = random.pick(at % 500 === 0 ? heavy : light)
    const token = random.pick(subject.tokens)
    const text = mutate(token, random, subject.tokens)
    counts.set(name, (counts.get(name) ?? 0) + 1)
    if (subject.tokens.includes(text)) unchanged++
    const fault = findFault(text, subject, at)
    if (fault !== undefined) {
      const shown = JSON.stringify(text.slice(0, 3000))
      throw new Error(`${fault}; seed ${SEED}, ${alg}, ${name} number ${at} of ${token}: ${shown}`)
    }
  }
  console.log(`seed ${SEED}: ${alg}, ${count} altered, ${unchanged} came out unchanged`)
  expect(counts.size).toBeGreaterThanOrEqual(light.length)
})

test('HS256: of the validly signed texts, only strict JSON passes', () => {
  const { key, verifiers, tokens } = subjectFor('HS256', 'RFC 7515 A.1')
  const { sign } = signingMaterialOf(key)
  const random = createRandom(SEED + 1)
  const harmless = new Set(respellings.slice(0, 6))
  for (let at = 0; at < TOKENS / 100; at++) {
    const token = random.pick(tokens)
    const [respell, index] = [random.pick(respellings), random.integer(2)]
    const [header = '', payload = ''] = mapJson(token, index, respell).split('.')
    const result = verifiers[at % 3]?.verify(`${header}.${payload}.${sign(header, payload)}`)
    if (harmless.has(respell)) {
      const claims: unknown = JSON.parse(
        Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
      )
      expect(result).toMatchObject({ ok: true, claims })
    } else if (result?.ok === true) {
      // A member of the other part has no meaning here: it is an unknown claim or parameter, which is
      // ignored.
      const { claims } = result
      expect(claims.sub).toBe('s')
      expect(Object.keys(claims)).not.toContain('__proto__')
    }
  }
})

// ECDSA is malleable: if (r, s) is valid, so is (r, n-s), in every library. So a list of tokens must store
// their id (jti), not their text.
test('ES256: (r, n-s) passes by design, and no other variant of (r, s)', () => {
  const { verifiers, tokens } = subjectFor('ES256', 'RFC 7515 A.3')
  const hex = (value: bigint) => (((value % P256_ORDER) + P256_ORDER) % P256_ORDER).toString(16)
  for (const token of tokens) {
    const dot = token.lastIndexOf('.')
    const bytes = Buffer.from(token.slice(dot + 1), 'base64url').toString('hex')
    const [r, s] = [BigInt(`0x${bytes.slice(0, 64)}`), BigInt(`0x${bytes.slice(64)}`)]
    const passes = (first: bigint, second: bigint, verifier: Verifier) => {
      const signature = hex(first).padStart(64, '0') + hex(second).padStart(64, '0')
      return verifier.verify(
        `${token.slice(0, dot + 1)}${encodePart(Buffer.from(signature, 'hex'))}`,
      ).ok
    }
    for (const verifier of verifiers) {
      expect(passes(r, s, verifier)).toBe(true)
      expect(passes(r, -s, verifier)).toBe(true)
      for (const [first, second] of [
        [-r, s],
        [-r, -s],
        [s, r],
        [r + 1n, s],
        [r, s + 1n],
        [r, 0n],
        [0n, s],
        [2n * r, 2n * s],
      ] as const) {
        expect(passes(first, second, verifier)).toBe(false)
      }
    }
  }
})
