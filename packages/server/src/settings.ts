import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { getSystemErrorMessage } from 'node:util'

import type { z } from 'zod'

import type { ThrottleRates } from './accounts/throttle.ts'
import { SetupError } from './base/faults.ts'
import { limits } from './base/limits.ts'
import type { HttpSettings } from './http/services.ts'
import { SIGNING_ALGS, type SigningAlg } from './keys/material.ts'
import {
  domain,
  flag,
  integer,
  integerOrOff,
  lifetime,
  lifetimeOrOff,
  networks,
  oneOf,
  origins,
  redisUrl,
  text,
  throttle,
  url,
} from './settings-schemas.ts'
import type { Retention } from './upkeep.ts'

/**
 * Every setting: its name in `countersign.config.ts` and in `createAuthority`, its name in the
 * environment, and what it may be. Lifetimes are a number with a unit: `90s`, `5m`, `12h`, `14d`.
 */
const table = {
  port: { env: 'PORT', schema: integer(1, 65_535).default(8000) },
  host: { env: 'HOST', schema: text().default('127.0.0.1') },
  dataDir: { env: 'COUNTERSIGN_DATA_DIR', schema: text().default('./data') },
  publicUrl: { env: 'COUNTERSIGN_PUBLIC_URL', schema: url().optional() },
  audience: { env: 'COUNTERSIGN_AUDIENCE', schema: text(limits.issuerCharsMax).optional() },
  secret: { env: 'COUNTERSIGN_SECRET', schema: text().optional() },
  secretFile: { env: 'COUNTERSIGN_SECRET_FILE', schema: text().optional() },
  sharedSecret: { env: 'COUNTERSIGN_SHARED_SECRET', schema: text().optional() },
  sharedSecretFile: { env: 'COUNTERSIGN_SHARED_SECRET_FILE', schema: text().optional() },
  adminUsername: { env: 'COUNTERSIGN_ADMIN_USERNAME', schema: text().optional() },
  adminPassword: { env: 'COUNTERSIGN_ADMIN_PASSWORD', schema: text().optional() },
  adminPasswordFile: { env: 'COUNTERSIGN_ADMIN_PASSWORD_FILE', schema: text().optional() },
  accessLifetime: { env: 'COUNTERSIGN_ACCESS_LIFETIME', schema: lifetime('1s', '24h', '5m') },
  refreshLifetime: { env: 'COUNTERSIGN_REFRESH_LIFETIME', schema: lifetime('2s', '365d', '14d') },
  sessionLifetime: { env: 'COUNTERSIGN_SESSION_LIFETIME', schema: lifetime('2s', '3650d', '30d') },
  rotationGrace: { env: 'COUNTERSIGN_ROTATION_GRACE', schema: lifetime('0s', '60s', '10s') },
  rotateRefresh: { env: 'COUNTERSIGN_ROTATE_REFRESH', schema: flag().default(true) },
  healing: { env: 'COUNTERSIGN_HEALING', schema: oneOf('accept', 'refuse').default('accept') },
  argon2MemoryKib: {
    env: 'COUNTERSIGN_ARGON2_MEMORY_KIB',
    schema: integer(8_192, 4_194_304).default(19_456),
  },
  argon2Passes: { env: 'COUNTERSIGN_ARGON2_PASSES', schema: integer(1, 100).default(2) },
  argon2Lanes: { env: 'COUNTERSIGN_ARGON2_LANES', schema: integer(1, 16).default(1) },
  origins: { env: 'COUNTERSIGN_ORIGINS', schema: origins() },
  cookieDomain: { env: 'COUNTERSIGN_COOKIE_DOMAIN', schema: domain().optional() },
  trustedProxies: { env: 'COUNTERSIGN_TRUSTED_PROXIES', schema: networks() },
  throttle: { env: 'COUNTERSIGN_THROTTLE', schema: throttle() },
  signUp: { env: 'COUNTERSIGN_SIGN_UP', schema: flag().default(false) },
  signingAlg: { env: 'COUNTERSIGN_SIGNING_ALG', schema: oneOf(...SIGNING_ALGS).default('ES256') },
  keyRotation: { env: 'COUNTERSIGN_KEY_ROTATION', schema: lifetimeOrOff('1h', '3650d', '30d') },
  keyLead: { env: 'COUNTERSIGN_KEY_LEAD', schema: lifetime('10m', '90d', '24h') },
  auditRetention: {
    env: 'COUNTERSIGN_AUDIT_RETENTION',
    schema: lifetimeOrOff('1d', '36500d', '400d'),
  },
  revocationRetention: {
    env: 'COUNTERSIGN_REVOCATION_RETENTION',
    schema: lifetimeOrOff('1d', '36500d', '90d'),
  },
  sessionsPerAccountMax: {
    env: 'COUNTERSIGN_SESSIONS_PER_ACCOUNT_MAX',
    schema: integerOrOff(1, 100_000),
  },
  redisUrl: { env: 'REDIS_URL', schema: redisUrl().optional() },
  logLevel: {
    env: 'COUNTERSIGN_LOG_LEVEL',
    schema: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
  },
} as const satisfies Record<string, { readonly env: string; readonly schema: z.ZodType }>

type Table = typeof table
type Key = keyof Table

/** What may be given: every setting is optional, and text is read as the environment gives it. */
export type SettingsInput = { readonly [K in Key]?: z.input<Table[K]['schema']> | undefined }

/** Settings that were checked, with their defaults. */
export interface Settings {
  readonly port: number
  readonly host: string
  /** Absolute. */
  readonly dataDir: string
  /** The issuer: where clients reach this server, without a slash at the end. */
  readonly publicUrl: string
  readonly audience: string
  /** All open what was sealed, the first seals. Undefined: make one in the data directory. */
  readonly secrets: readonly string[] | undefined
  /** Sign access tokens in place of the ring's keys (HS256): the first signs, all verify. */
  readonly sharedSecrets: readonly string[] | undefined
  readonly admin: { readonly username: string; readonly password: string | undefined }
  readonly accessLifetimeSec: number
  readonly refreshLifetimeSec: number
  readonly sessionLifetimeSec: number
  readonly rotationGraceMs: number
  readonly rotateRefresh: boolean
  readonly healing: 'accept' | 'refuse'
  readonly argon2: { readonly memoryKib: number; readonly passes: number; readonly lanes: number }
  /** Undefined: tries are not counted. */
  readonly throttle: ThrottleRates | undefined
  readonly http: HttpSettings
  /** Which keys sign access tokens, and when they change. */
  readonly keys: {
    readonly alg: SigningAlg
    readonly rotationMs: number | undefined
    readonly leadMs: number
  }
  /** Where services in other languages read what is taken back. Holds a password. */
  readonly redisUrl: string | undefined
  /** How long audit lines and revocation log entries are kept. */
  readonly retention: Retention
  /** How many live sessions an account may have. Undefined: any number. */
  readonly sessionsPerAccountMax: number | undefined
  readonly logLevel: string
  readonly production: boolean
}

type Parsed = { readonly [K in Key]: z.output<Table[K]['schema']> }

/** The first mistake of each setting, by the name that its owner knows. */
class Mistakes {
  readonly #first = new Map<string, string>()

  add(key: Key, mistake: string): void {
    this.addName(table[key].env, mistake)
  }

  addName(name: string, mistake: string): void {
    if (!this.#first.has(name)) this.#first.set(name, mistake)
  }

  throwIfAny(): void {
    if (this.#first.size === 0) return
    const lines = [...this.#first].map(([name, mistake]) => `  ${name}: ${mistake}`)
    throw new SetupError(['Some settings are not right:', ...lines].join('\n'))
  }
}

/**
 * Checks all settings at once. Throws a `SetupError` that names every mistake with its setting, never
 * with its value: that may be a secret.
 */
export function parseSettings(input: SettingsInput, options: { production: boolean }): Settings {
  const mistakes = new Mistakes()
  for (const key of Object.keys(input)) {
    if (!Object.hasOwn(table, key)) mistakes.addName(key, 'is not a setting')
  }
  const given = parseEach(input, mistakes)
  const secrets = readSecrets('secret', given, mistakes)
  const sharedSecrets = readSecrets('sharedSecret', given, mistakes)
  checkSharedSecrets(secrets, sharedSecrets, mistakes)
  const adminPassword = readAdminPassword(given, mistakes)
  checkLifetimes(given, mistakes)
  checkKeyTimes(given, mistakes)
  if (input.revocationRetention !== undefined) checkRevocationRetention(given, mistakes)
  checkCookieDomain(given, mistakes)
  if (options.production) checkProduction(given, secrets, mistakes)
  else checkPublic(given, secrets, mistakes)
  mistakes.throwIfAny()

  // Complete: what has no value has a mistake.
  const parsed = given as Parsed
  const publicUrl = parsed.publicUrl ?? `http://localhost:${parsed.port}`
  return {
    port: parsed.port,
    host: parsed.host,
    dataDir: resolve(parsed.dataDir),
    publicUrl,
    audience: parsed.audience ?? publicUrl,
    secrets,
    sharedSecrets,
    admin: { username: parsed.adminUsername ?? 'admin', password: adminPassword },
    accessLifetimeSec: parsed.accessLifetime,
    refreshLifetimeSec: parsed.refreshLifetime,
    sessionLifetimeSec: parsed.sessionLifetime,
    rotationGraceMs: parsed.rotationGrace * 1000,
    rotateRefresh: parsed.rotateRefresh,
    healing: parsed.healing,
    argon2: {
      memoryKib: parsed.argon2MemoryKib,
      passes: parsed.argon2Passes,
      lanes: parsed.argon2Lanes,
    },
    throttle: parsed.throttle,
    keys: {
      alg: parsed.signingAlg,
      rotationMs: parsed.keyRotation === undefined ? undefined : parsed.keyRotation * 1000,
      leadMs: parsed.keyLead * 1000,
    },
    http: {
      publicUrl,
      cookieDomain: parsed.cookieDomain,
      origins: parsed.origins,
      trustedProxies: parsed.trustedProxies,
      signUp: parsed.signUp,
    },
    redisUrl: parsed.redisUrl,
    retention: {
      auditMs: toMs(parsed.auditRetention),
      revocationsMs: toMs(
        input.revocationRetention === undefined && parsed.revocationRetention !== undefined
          ? Math.max(parsed.revocationRetention, revocationRetentionSecMin(parsed))
          : parsed.revocationRetention,
      ),
    },
    sessionsPerAccountMax: parsed.sessionsPerAccountMax,
    logLevel: parsed.logLevel,
    production: options.production,
  }
}

function parseEach(input: SettingsInput, mistakes: Mistakes): Partial<Parsed> {
  const values: Partial<Record<Key, unknown>> = {}
  for (const key of Object.keys(table) as Key[]) {
    const result = table[key].schema.safeParse(input[key])
    if (result.success) values[key] = result.data
    else mistakes.add(key, result.error.issues[0]?.message ?? 'is not valid')
  }
  // Each value came out of the schema of its key.
  return values as Partial<Parsed>
}

function readSecrets(
  key: 'secret' | 'sharedSecret',
  given: Partial<Parsed>,
  mistakes: Mistakes,
): string[] | undefined {
  const fileKey = `${key}File` as const
  if (given[key] !== undefined && given[fileKey] !== undefined) {
    mistakes.add(key, `give it or ${nameOf(fileKey)}, not both`)
    return undefined
  }
  const raw = given[key] ?? readFileSetting(fileKey, given[fileKey], mistakes)
  if (raw === undefined) return undefined
  const secrets = raw
    .split(/[,\n]/)
    .map((each) => each.trim())
    .filter((each) => each !== '')
  if (secrets.length === 0 || secrets.some(isWeak)) {
    mistakes.add(
      given[key] === undefined ? fileKey : key,
      `each secret needs at least ${limits.secretCharsMin} random characters, for example from: openssl rand -base64 32`,
    )
  }
  return secrets
}

/** What seals our keys is nobody else's. */
function checkSharedSecrets(
  secrets: readonly string[] = [],
  shared: readonly string[] = [],
  mistakes: Mistakes,
): void {
  if (shared.some((each) => secrets.includes(each))) {
    mistakes.add(
      'sharedSecret',
      `must be another one than ${nameOf('secret')}, which nobody shares`,
    )
  }
}

function isWeak(secret: string): boolean {
  return secret.length < limits.secretCharsMin || new Set(secret).size < 10
}

function readAdminPassword(given: Partial<Parsed>, mistakes: Mistakes): string | undefined {
  if (given.adminPassword !== undefined && given.adminPasswordFile !== undefined) {
    mistakes.add('adminPassword', `give it or ${nameOf('adminPasswordFile')}, not both`)
  }
  return (
    given.adminPassword ??
    readFileSetting('adminPasswordFile', given.adminPasswordFile, mistakes)?.replace(/\r?\n$/, '')
  )
}

function readFileSetting(
  key: Key,
  path: string | undefined,
  mistakes: Mistakes,
): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    mistakes.add(key, `the file cannot be read: ${whyUnreadable(error)}`)
    return undefined
  }
}

/** Without the path, which an error of Node's repeats: a secret in the wrong setting is one. */
function whyUnreadable(error: unknown): string {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number'
    ? getSystemErrorMessage(error.errno)
    : 'it is not the path of a file'
}

function checkLifetimes(given: Partial<Parsed>, mistakes: Mistakes): void {
  for (const [shorter, longer] of [
    ['accessLifetime', 'refreshLifetime'],
    ['refreshLifetime', 'sessionLifetime'],
  ] as const) {
    const [seconds, secondsMax] = [given[shorter], given[longer]]
    if (seconds !== undefined && secondsMax !== undefined && seconds > secondsMax) {
      mistakes.add(shorter, `must not be longer than ${nameOf(longer)}`)
    }
  }
}

const DAY_SEC = 86_400

/**
 * An entry of the revocation log matters for as long as a session can live that its loss would bring back to life. Tokens
 * live no longer than sessions. The day is for clocks that are set wrong. See `RevocationStore.prune`.
 */
function revocationRetentionSecMin({ sessionLifetime }: Pick<Parsed, 'sessionLifetime'>): number {
  return sessionLifetime + DAY_SEC
}

function checkRevocationRetention(given: Partial<Parsed>, mistakes: Mistakes): void {
  const { revocationRetention, sessionLifetime } = given
  if (revocationRetention === undefined || sessionLifetime === undefined) return
  if (revocationRetention < revocationRetentionSecMin({ sessionLifetime })) {
    mistakes.add(
      'revocationRetention',
      `must be at least one day longer than ${nameOf('sessionLifetime')}`,
    )
  }
}

function toMs(sec: number | undefined): number | undefined {
  return sec === undefined ? undefined : sec * 1000
}

/** No key may wait for longer than the one before it is to sign. */
function checkKeyTimes({ keyRotation, keyLead }: Partial<Parsed>, mistakes: Mistakes): void {
  if (keyRotation !== undefined && keyLead !== undefined && keyLead > keyRotation) {
    mistakes.add('keyRotation', `must not be shorter than ${nameOf('keyLead')}`)
  }
}

/** Browsers refuse a domain that the server is not in. */
function checkCookieDomain(given: Partial<Parsed>, mistakes: Mistakes): void {
  if (given.cookieDomain === undefined) return
  const host = new URL(given.publicUrl ?? 'http://localhost').hostname
  if (host !== given.cookieDomain && !host.endsWith(`.${given.cookieDomain}`)) {
    mistakes.add('cookieDomain', `must be the host of ${nameOf('publicUrl')}, or a domain above it`)
  }
}

function checkProduction(
  given: Partial<Parsed>,
  secrets: readonly string[] | undefined,
  mistakes: Mistakes,
): void {
  if (secrets === undefined && given.secretFile === undefined) {
    mistakes.add(
      'secret',
      `must be set with NODE_ENV=production (or ${nameOf('secretFile')}), for example from: openssl rand -base64 32`,
    )
  }
  if (given.publicUrl?.startsWith('https://') !== true) {
    mistakes.add('publicUrl', 'must begin with https:// with NODE_ENV=production')
  }
}

/** A server that the world reaches is none of development, even if nobody set NODE_ENV. */
function checkPublic(
  given: Partial<Parsed>,
  secrets: readonly string[] | undefined,
  mistakes: Mistakes,
): void {
  const isPublic =
    given.publicUrl?.startsWith('https://') === true &&
    new URL(given.publicUrl).hostname !== 'localhost'
  if (isPublic && secrets === undefined && given.secretFile === undefined) {
    mistakes.add(
      'secret',
      `must be set for an https public URL (or ${nameOf('secretFile')}), for example from: openssl rand -base64 32`,
    )
  }
}

/**
 * The settings that the environment gives. A `COUNTERSIGN_` name that is none is given as it is, so
 * that `parseSettings` can name it among the other mistakes.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv): SettingsInput {
  const keys = new Map((Object.keys(table) as Key[]).map((key) => [table[key].env as string, key]))
  const input: Record<string, string> = {}
  for (const [name, value = ''] of Object.entries(environment)) {
    const key = keys.get(name)
    if (key === undefined && name.startsWith('COUNTERSIGN_')) input[name] = value
    if (key !== undefined && value !== '') input[key] = value
  }
  return input
}

function nameOf(key: Key): string {
  return table[key].env
}
