/**
 * Measures one version of Node. bench/jwt.ts runs it as a program, with the package to measure as its
 * argument. It prints rows as JSON. Its types must be erasable, because older Nodes run it with its types
 * removed.
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

const ROUNDS = 25
const ROUND_MS = 40
const SLICE = 256
const TOKENS = 1_000
const ISSUER = 'https://auth.example.com'
const ALGORITHMS = ['HS256', 'RS256', 'PS256', 'ES256', 'Ed25519'] as const
type Alg = (typeof ALGORITHMS)[number]

const jwt = (await import(pathToFileURL(process.argv[2] ?? '').href)) as Jwt

/** One operation on one input. The inputs of each slice are made outside the measured time. */
type Operation<Input> = (input: Input) => unknown

/** One candidate. It processes a slice of inputs, one after the other or several at once. */
type Jobs<Input> = Record<string, (slice: readonly Input[]) => void | Promise<void>>

async function measureAlgorithm(alg: Alg): Promise<unknown[]> {
  const keys = makeKeys(alg)
  const signer = jwt.createSigner(keys.ours, { typ: 'at+jwt' })
  return [
    { alg, what: 'verify', ...(await race(verifyJobs(alg, keys), freshTokens(signer))) },
    { alg, what: 'sign', ...(await race(signJobs(alg, keys), nextClaims)) },
  ]
}

function verifyJobs(alg: Alg, keys: Keys): Jobs<string> {
  const ours = jwt.createVerifier({
    keys: jwt.verifyingKeyOf(keys.ours),
    typ: 'at+jwt',
    issuer: ISSUER,
    audience: 'api',
  })
  const joseOptions = { issuer: ISSUER, audience: 'api', typ: 'at+jwt' }
  const joseVerify = (token: string) => jose.jwtVerify(token, keys.public, joseOptions)
  const rest = {
    raw: each(rawVerifier(alg, keys)),
    jose_1: one(joseVerify),
    jose_16: inFlight(joseVerify),
  }
  const jobs = { ours: each((token: string) => expectOk(ours.verify(token).ok)), ...rest }
  if (alg === 'Ed25519') return { ...jobs, fast_jwt: fastJwtEdDsa(keys) }
  const options = { algorithms: [alg], issuer: ISSUER, audience: 'api' }
  return {
    ...jobs,
    fast_jwt: each(fastVerifier(alg, keys)),
    jsonwebtoken: each((token: string) => jsonwebtoken.verify(token, keys.public, options)),
  }
}

function fastVerifier(alg: Alg, keys: Keys, more: object = {}): (token: string) => unknown {
  return fastJwt.createVerifier({
    key: keys.fastPublic as never,
    algorithms: [alg === 'Ed25519' ? 'EdDSA' : alg],
    allowedIss: ISSUER,
    allowedAud: 'api',
    ...more,
  })
}

function fastSigner(alg: Alg, keys: Keys): (claims: object) => string {
  return fastJwt.createSigner({
    key: keys.fastPrivate as never,
    algorithm: alg === 'Ed25519' ? 'EdDSA' : alg,
    header: { alg: alg === 'Ed25519' ? 'EdDSA' : alg, typ: 'at+jwt' },
  }) as (claims: object) => string
}

/** fast-jwt knows Ed25519 only by its older name, so it gets its own tokens, as many as the others. */
function fastJwtEdDsa(keys: Keys): (slice: readonly string[]) => void {
  const next = freshTokens({ sign: fastSigner('Ed25519', keys) })
  const verify = fastVerifier('Ed25519', keys)
  let tokens = next(SLICE)
  return (slice) => {
    for (const token of tokens) verify(token)
    if (slice.length !== tokens.length) throw new Error('slices differ')
    afterwards = () => (tokens = next(SLICE))
  }
}

/** Cleans up after a job, outside the measured time. */
let afterwards: (() => void) | undefined

function signJobs(alg: Alg, keys: Keys): Jobs<object> {
  const signer = jwt.createSigner(keys.ours, { typ: 'at+jwt' })
  const joseSign = (claims: object) =>
    new jose.SignJWT({ ...claims }).setProtectedHeader({ alg, typ: 'at+jwt' }).sign(keys.private)
  const jobs = {
    ours: each((claims: object) => signer.sign(claims)),
    raw: each(rawSigner(alg, keys)),
    fast_jwt: each(fastSigner(alg, keys)),
    jose_1: one(joseSign),
    jose_16: inFlight(joseSign),
  }
  if (alg === 'Ed25519') return jobs
  return {
    ...jobs,
    jsonwebtoken: each((claims) => jsonwebtoken.sign(claims, keys.private, { algorithm: alg })),
  }
}

async function measureCache(): Promise<unknown> {
  const keys = makeKeys('HS256')
  const signer = jwt.createSigner(keys.ours, { typ: 'at+jwt' })
  const ours = jwt.createVerifier({
    keys: jwt.verifyingKeyOf(keys.ours),
    typ: 'at+jwt',
    issuer: ISSUER,
    audience: 'api',
    cacheEntriesMax: TOKENS * 8,
  })
  const cache = TOKENS * 8
  const identity = { cache, cacheKeyBuilder: (token: string) => token }
  const jobs = {
    ours: each((token: string) => expectOk(ours.verify(token).ok)),
    fast_jwt: each(fastVerifier('HS256', keys, { cache })),
    fast_jwt_identity: each(fastVerifier('HS256', keys, identity)),
  }
  return { alg: 'HS256', what: 'cached verify', ...(await race(jobs, freshTokens(signer))) }
}

/** Returns tokens in turn, each as a new string that V8 has not hashed yet, as in a server. */
function freshTokens(signer: { sign(claims: object): string }): (count: number) => string[] {
  const tokens = Array.from({ length: TOKENS }, () => Buffer.from(signer.sign(makeClaims())))
  let at = 0
  return (count) => {
    return Array.from({ length: count }, () => {
      at = (at + 1) % TOKENS
      return tokens[at]!.toString('latin1')
    })
  }
}

const pool = Array.from({ length: TOKENS }, makeClaims)
let poolAt = 0

/** Claims that were made before, so that making them is not measured. */
function nextClaims(count: number): object[] {
  return Array.from({ length: count }, () => {
    poolAt = (poolAt + 1) % TOKENS
    return pool[poolAt]!
  })
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

/** Makes the bare call on as many different inputs, with signatures in the form of OpenSSL. */
function rawSigner(alg: Alg, keys: Keys): () => unknown {
  const inputs = rawInputs()
  let at = 0
  const next = (): Buffer => inputs[(at = (at + 1) % TOKENS)]!
  if (Buffer.isBuffer(keys.private)) {
    const secret = createSecretKey(keys.private)
    return () => createHmac('sha256', secret).update(next()).digest()
  }
  const key = alg === 'PS256' ? makePssKey() : keys.private
  return () => rawSign(alg === 'Ed25519' ? null : 'sha256', next(), key)
}

function rawVerifier(alg: Alg, keys: Keys): () => void {
  const inputs = rawInputs()
  let at = 0
  const next = (): number => (at = (at + 1) % TOKENS)
  if (Buffer.isBuffer(keys.public)) {
    const secret = createSecretKey(keys.public)
    const mac = (input: Buffer) => createHmac('sha256', secret).update(input).digest()
    const macs = inputs.map(mac)
    return () => {
      const index = next()
      expectOk(timingSafeEqual(mac(inputs[index]!), macs[index]!))
    }
  }
  const privateKey = alg === 'PS256' ? makePssKey() : (keys.private as KeyObject)
  const publicKey = createPublicKey(privateKey)
  const hash = alg === 'Ed25519' ? null : 'sha256'
  const signatures = inputs.map((input) => rawSign(hash, input, privateKey))
  return () => {
    const index = next()
    expectOk(rawVerify(hash, inputs[index]!, publicKey, signatures[index]!))
  }
}

/** Returns the signing inputs of tokens with these claims, as bytes. */
function rawInputs(): Buffer[] {
  const signer = jwt.createSigner(jwt.generateSigningKey('HS256'), { typ: 'at+jwt' })
  return Array.from({ length: TOKENS }, () => {
    const token = signer.sign(makeClaims())
    return Buffer.from(token.slice(0, token.lastIndexOf('.')))
  })
}

/** Makes a key that contains its padding. Options beside a key cost 13 µs and more on Node 24. */
function makePssKey(): KeyObject {
  return generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    hashAlgorithm: 'sha256',
    mgf1HashAlgorithm: 'sha256',
    saltLength: 32 as never, // The types require text, but Node accepts only a number.
  }).privateKey
}

function each<Input>(operation: Operation<Input>): (slice: readonly Input[]) => void {
  return (slice) => {
    for (const input of slice) operation(input)
  }
}

function one<Input>(operation: (input: Input) => Promise<unknown>) {
  return async (slice: readonly Input[]): Promise<void> => {
    for (const input of slice) await operation(input)
  }
}

function inFlight<Input>(operation: (input: Input) => Promise<unknown>) {
  return async (slice: readonly Input[]): Promise<void> => {
    for (let at = 0; at < slice.length; at += 16) {
      await Promise.all(slice.slice(at, at + 16).map(operation))
    }
  }
}

function expectOk(ok: boolean): void {
  if (!ok) throw new Error('a valid token was refused')
}

/**
 * Measures the operations per second of each job. The jobs take turns, so that a slow moment of the machine
 * affects all of them. Returns for each job the median rate, its spread, and the median over the rounds of
 * the rate of `ours` divided by its rate.
 */
async function race<Input>(
  jobs: Jobs<Input>,
  makeInputs: (count: number) => Input[],
): Promise<Record<string, unknown>> {
  const rates: Record<string, number[]> = {}
  for (let round = -2; round < ROUNDS; round += 1) {
    for (const [name, job] of Object.entries(jobs)) {
      const rate = await measureRound(job, makeInputs)
      // The first rounds only warm up and are not counted.
      if (round >= 0) (rates[name] ??= []).push(rate)
    }
  }
  const ours = rates['ours'] ?? []
  const ratios = (all: readonly number[]) => all.map((rate, round) => (ours[round] ?? 0) / rate)
  return Object.fromEntries(
    Object.entries(rates).map(([name, all]) => [
      name,
      { rate: quantile(all, 0.5), spread: spreadOf(all), ratio: quantile(ratios(all), 0.5) },
    ]),
  )
}

async function measureRound<Input>(
  job: Jobs<Input>[string],
  makeInputs: (count: number) => Input[],
): Promise<number> {
  let ms = 0
  let operations = 0
  while (ms < ROUND_MS) {
    const slice = makeInputs(SLICE)
    const before = performance.now()
    const pending = job(slice)
    if (pending !== undefined) await pending
    ms += performance.now() - before
    operations += slice.length
    afterwards?.()
    afterwards = undefined
  }
  return (operations / ms) * 1000
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? Number.NaN
}

/** Returns half of the distance between the quartiles, as a fraction of the median. */
function spreadOf(values: readonly number[]): number {
  return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / quantile(values, 0.5)
}

const rows: unknown[] = []
for (const alg of ALGORITHMS) rows.push(...(await measureAlgorithm(alg)))
rows.push(await measureCache())
process.stdout.write(JSON.stringify(rows))
