/**
 * Measures one Node: run as a program of its own by bench/jwt.ts, with the package to measure as its
 * argument, and prints rows as JSON. Erasable TypeScript only: it is stripped for older Nodes.
 */
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  sign as rawSign,
  timingSafeEqual,
  verify as rawVerify,
  type KeyObject,
} from 'node:crypto'
import { pathToFileURL } from 'node:url'

import fastJwt from 'fast-jwt'
import * as jose from 'jose'
import jsonwebtoken from 'jsonwebtoken'

type Jwt = typeof import('@countersign/jwt')

const ROUNDS = 5
const ROUND_MS = 120
const TOKENS = 1_000
const ISSUER = 'https://auth.example.com'
const ALGORITHMS = ['HS256', 'RS256', 'PS256', 'ES256', 'Ed25519'] as const
type Alg = (typeof ALGORITHMS)[number]

const jwt = (await import(pathToFileURL(process.argv[2] ?? '').href)) as Jwt

/** What runs `times` operations. */
type Job = (times: number) => void | Promise<void>

async function measureAlgorithm(alg: Alg): Promise<unknown[]> {
  const keys = makeKeys(alg)
  const signer = jwt.createSigner(keys.ours, { typ: 'at+jwt' })
  const tokens = Array.from({ length: TOKENS }, () => Buffer.from(signer.sign(makeClaims())))
  let at = 0
  // A new string for each call, as a server gets one: a string that was used before is hashed already.
  const fresh = (): string => {
    at = (at + 1) % TOKENS
    return tokens[at]!.toString('latin1')
  }
  return [
    { alg, what: 'verify', ...(await race(verifyJobs(alg, keys, fresh))) },
    { alg, what: 'sign', ...(await race(signJobs(alg, keys, signer))) },
  ]
}

function verifyJobs(alg: Alg, keys: Keys, fresh: () => string): Record<string, Job> {
  const ours = jwt.createVerifier({
    keys: jwt.verifyingKeyOf(keys.ours),
    typ: 'at+jwt',
    issuer: ISSUER,
    audience: 'api',
  })
  const fast = fastJwt.createVerifier({
    key: keys.fastPublic as never,
    algorithms: [alg === 'Ed25519' ? 'EdDSA' : alg],
    allowedIss: ISSUER,
    allowedAud: 'api',
  })
  const joseOptions = { issuer: ISSUER, audience: 'api', typ: 'at+jwt' }
  const jobs: Record<string, Job> = {
    ours: loop(() => expectOk(ours.verify(fresh()).ok)),
    raw: loop(rawVerifier(alg, keys, fresh)),
    jose_1: async (times) => {
      for (let i = 0; i < times; i += 1) await jose.jwtVerify(fresh(), keys.public, joseOptions)
    },
    jose_16: async (times) => {
      for (let i = 0; i < times; i += 16) {
        await Promise.all(
          Array.from({ length: 16 }, () => jose.jwtVerify(fresh(), keys.public, joseOptions)),
        )
      }
    },
  }
  // fast-jwt knows Ed25519 by its older name only, and refuses the header that RFC 9864 asks for.
  if (alg !== 'Ed25519') jobs['fast_jwt'] = loop(() => void fast(fresh()))
  if (alg !== 'Ed25519') {
    jobs['jsonwebtoken'] = loop(
      () =>
        void jsonwebtoken.verify(fresh(), keys.public, {
          algorithms: [alg],
          issuer: ISSUER,
          audience: 'api',
        }),
    )
  }
  return jobs
}

function signJobs(
  alg: Alg,
  keys: Keys,
  signer: ReturnType<Jwt['createSigner']>,
): Record<string, Job> {
  const fast = fastJwt.createSigner({
    key: keys.fastPrivate as never,
    algorithm: alg === 'Ed25519' ? 'EdDSA' : alg,
    header: { alg, typ: 'at+jwt' },
  })
  const input = Buffer.from(signer.sign(makeClaims()).split('.').slice(0, 2).join('.'))
  const jobs: Record<string, Job> = {
    ours: loop(() => void signer.sign(nextClaims())),
    raw: loop(rawSigner(alg, keys, input)),
    fast_jwt: loop(() => void fast(nextClaims())),
    jose_1: async (times) => {
      for (let i = 0; i < times; i += 1) await joseSign(alg, keys)
    },
    jose_16: async (times) => {
      for (let i = 0; i < times; i += 16) {
        await Promise.all(Array.from({ length: 16 }, () => joseSign(alg, keys)))
      }
    },
  }
  if (alg !== 'Ed25519') {
    jobs['jsonwebtoken'] = loop(
      () => void jsonwebtoken.sign(nextClaims(), keys.private, { algorithm: alg }),
    )
  }
  return jobs
}

function joseSign(alg: Alg, keys: Keys): Promise<string> {
  return new jose.SignJWT(nextClaims())
    .setProtectedHeader({ alg, typ: 'at+jwt' })
    .sign(keys.private)
}

async function measureCache(): Promise<unknown> {
  const keys = makeKeys('HS256')
  const signer = jwt.createSigner(keys.ours, { typ: 'at+jwt' })
  const tokens = Array.from({ length: TOKENS }, () => Buffer.from(signer.sign(makeClaims())))
  let at = 0
  const fresh = (): string => {
    at = (at + 1) % TOKENS
    return tokens[at]!.toString('latin1')
  }
  const fast = (more: object): Job => {
    const verify = fastJwt.createVerifier({
      key: keys.fastPublic as never,
      algorithms: ['HS256'],
      allowedIss: ISSUER,
      allowedAud: 'api',
      cache: TOKENS * 2,
      ...more,
    })
    return loop(() => void verify(fresh()))
  }
  const options = {
    keys: jwt.verifyingKeyOf(keys.ours),
    typ: 'at+jwt',
    issuer: ISSUER,
    audience: 'api',
    cacheEntriesMax: TOKENS * 8,
  }
  const ours = jwt.createVerifier(options)
  return {
    alg: 'HS256',
    what: 'cached verify',
    ...(await race({
      ours: loop(() => expectOk(ours.verify(fresh()).ok)),
      fast_jwt: fast({}),
      fast_jwt_identity: fast({ cacheKeyBuilder: (token: string) => token }),
    })),
  }
}

interface Keys {
  readonly ours: ReturnType<Jwt['importSigningKey']>
  readonly private: KeyObject | Buffer
  readonly public: KeyObject | Buffer
  readonly fastPrivate: string | Buffer
  readonly fastPublic: string | Buffer
}

function makeKeys(alg: Alg): Keys {
  if (alg === 'HS256') {
    const secret = randomBytes(32)
    const ours = jwt.importSigningKey({ secret }, { alg })
    return { ours, private: secret, public: secret, fastPrivate: secret, fastPublic: secret }
  }
  const { privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'Ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(privateKey)
  return {
    ours: jwt.importSigningKey({ keyObject: privateKey }, { alg }),
    private: privateKey,
    public: publicKey,
    fastPrivate: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    fastPublic: publicKey.export({ type: 'spki', format: 'pem' }),
  }
}

function makeClaims(): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: ISSUER,
    sub: 'acct_BP5bIzs7IlS55VhMxQklhw',
    aud: 'api',
    exp: now + 3_600,
    iat: now,
    jti: randomBytes(16).toString('hex'),
    client_id: 'first-party',
    sid: 'WuE3HCxgj7OZDc2rcY-I6w',
    rvp: 12_345,
    roles: ['reader', 'writer'],
  }
}

const pool = Array.from({ length: TOKENS }, makeClaims)
let poolAt = 0

/** Claims that were made before: making them is not what is measured. */
function nextClaims(): Record<string, unknown> {
  poolAt = (poolAt + 1) % TOKENS
  return pool[poolAt]!
}

/** The bare call on the same bytes, with the form of signature that OpenSSL has. */
function rawSigner(alg: Alg, keys: Keys, input: Buffer): () => void {
  if (Buffer.isBuffer(keys.private)) {
    const secret = createSecretKey(keys.private)
    return () => void createHmac('sha256', secret).update(input).digest()
  }
  const key = alg === 'PS256' ? makePssKey() : keys.private
  return () => void rawSign(alg === 'Ed25519' ? null : 'sha256', input, key)
}

function rawVerifier(alg: Alg, keys: Keys, fresh: () => string): () => void {
  const token = fresh()
  const input = Buffer.from(token.slice(0, token.lastIndexOf('.')))
  if (Buffer.isBuffer(keys.public)) {
    const secret = createSecretKey(keys.public)
    const mac = createHmac('sha256', secret).update(input).digest()
    return () => expectOk(timingSafeEqual(createHmac('sha256', secret).update(input).digest(), mac))
  }
  const privateKey = alg === 'PS256' ? makePssKey() : (keys.private as KeyObject)
  const publicKey = createPublicKey(privateKey)
  const hash = alg === 'Ed25519' ? null : 'sha256'
  const signature = rawSign(hash, input, privateKey)
  return () => expectOk(rawVerify(hash, input, publicKey, signature))
}

/** A key that brings its padding with it: options beside a key cost 13 us and more on Node 24. */
function makePssKey(): KeyObject {
  return generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    hashAlgorithm: 'sha256',
    mgf1HashAlgorithm: 'sha256',
    saltLength: 32 as never, // the types say text, Node takes a number
  }).privateKey
}

function loop(operation: () => void): Job {
  return (times) => {
    for (let i = 0; i < times; i += 1) operation()
  }
}

function expectOk(ok: boolean): void {
  if (!ok) throw new Error('a genuine token was refused')
}

/** Operations a second of each job, in turns, so that a slow moment of the machine hits all alike. */
async function race(jobs: Record<string, Job>): Promise<Record<string, number>> {
  const rates: Record<string, number[]> = {}
  const chunks: Record<string, number> = {}
  for (const [name, job] of Object.entries(jobs)) {
    rates[name] = []
    chunks[name] = await calibrate(job)
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, job] of Object.entries(jobs)) {
      const times = chunks[name] ?? 16
      const before = performance.now()
      await job(times)
      rates[name]?.push((times / (performance.now() - before)) * 1000)
    }
  }
  return Object.fromEntries(
    Object.entries(rates).map(([name, all]) => [
      name,
      all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0,
    ]),
  )
}

/** How many operations fill a round; warms the job up on the way. */
async function calibrate(job: Job): Promise<number> {
  let times = 16
  for (;;) {
    const before = performance.now()
    await job(times)
    const ms = performance.now() - before
    if (ms > ROUND_MS / 2) return Math.max(16, Math.round((times * ROUND_MS) / ms / 16) * 16)
    times *= 2
  }
}

const rows: unknown[] = []
for (const alg of ALGORITHMS) rows.push(...(await measureAlgorithm(alg)))
rows.push(await measureCache())
process.stdout.write(JSON.stringify(rows))
