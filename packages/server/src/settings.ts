import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { getSystemErrorMessage } from 'node:util'

import type { z } from 'zod'

import type { ThrottleRates } from './accounts/throttle.ts'
import { SetupError } from './base/faults.ts'
import { limits } from './base/limits.ts'
import type { HttpSettings } from './http/app.ts'
import { SIGNING_ALGS, type SigningAlg } from './keys/material.ts'
import {
  describeSchema,
  domain,
  flag,
  integer,
  lifetime,
  lifetimeOrOff,
  networks,
  oneOf,
  origins,
  redisUrl,
  text,
  throttle,
  url,
  type SchemaDescription,
} from './settings-schemas.ts'

const SECRETS = `at least ${limits.secretCharsMin} random characters; several separated by commas`

/**
 * Every setting: its name in `countersign.config.ts` and in `createAuthority`, its name in the
 * environment, its accepted values and its meaning in Markdown. Parsing, `countersign start --help`
 * and docs/reference/settings.md follow from it.
 */
const table = {
  port: {
    env: 'PORT',
    schema: integer(1, 65_535).default(8000),
    describe: 'The TCP port to listen on.',
  },
  host: {
    env: 'HOST',
    schema: text('an address or host name').default('127.0.0.1'),
    describe: 'The address to listen on. `0.0.0.0` listens on all IPv4 addresses.',
  },
  dataDir: {
    env: 'COUNTERSIGN_DATA_DIR',
    schema: text('a path').default('./data'),
    describe:
      'The folder of the database, its lock and the development secret. It is created with mode 700.',
  },
  publicUrl: {
    env: 'COUNTERSIGN_PUBLIC_URL',
    schema: url().optional(),
    describe:
      'The URL at which clients reach the server. It is the issuer (`iss`) of all tokens. Must begin with `https://` in production. Without it: `http://localhost:PORT`.',
  },
  audience: {
    env: 'COUNTERSIGN_AUDIENCE',
    schema: text('text', limits.issuerCharsMax).optional(),
    describe: 'The audience (`aud`) of access tokens. Without it: the public URL.',
  },
  secret: {
    env: 'COUNTERSIGN_SECRET',
    schema: text(SECRETS).optional(),
    describe:
      'Seals the private keys in the database. With several secrets, all open what was sealed, and the first one seals. Required in production and with a public https URL. Otherwise the server generates one in the data directory.',
  },
  secretFile: {
    env: 'COUNTERSIGN_SECRET_FILE',
    schema: text('a path').optional(),
    describe:
      'A file that contains the value of `COUNTERSIGN_SECRET`, also with one secret a line. Docker and Kubernetes mount secrets as files.',
  },
  sharedSecret: {
    env: 'COUNTERSIGN_SHARED_SECRET',
    schema: text(SECRETS).optional(),
    describe:
      'Signs access tokens with HS256 in place of the key ring, for services that share this secret. Every holder of the secret can make tokens. With several secrets, all verify, and the first one signs. Must differ from `COUNTERSIGN_SECRET`.',
  },
  sharedSecretFile: {
    env: 'COUNTERSIGN_SHARED_SECRET_FILE',
    schema: text('a path').optional(),
    describe: 'A file that contains the value of `COUNTERSIGN_SHARED_SECRET`.',
  },
  adminUsername: {
    env: 'COUNTERSIGN_ADMIN_USERNAME',
    schema: text('a username').optional(),
    describe:
      'The username of the first account, which the server creates in an empty database. Without it: `admin`.',
  },
  adminPassword: {
    env: 'COUNTERSIGN_ADMIN_PASSWORD',
    schema: text('a password').optional(),
    describe:
      'The password of the first account. Without it, development generates and prints one, and production creates no account.',
  },
  adminPasswordFile: {
    env: 'COUNTERSIGN_ADMIN_PASSWORD_FILE',
    schema: text('a path').optional(),
    describe: 'A file that contains the value of `COUNTERSIGN_ADMIN_PASSWORD`.',
  },
  accessLifetime: {
    env: 'COUNTERSIGN_ACCESS_LIFETIME',
    schema: lifetime('1s', '24h', '5m'),
    describe: 'How long an access token is valid. At most the refresh lifetime.',
  },
  refreshLifetime: {
    env: 'COUNTERSIGN_REFRESH_LIFETIME',
    schema: lifetime('2s', '365d', '14d'),
    describe:
      'How long a refresh token is valid while it is not used. At most the session lifetime.',
  },
  sessionLifetime: {
    env: 'COUNTERSIGN_SESSION_LIFETIME',
    schema: lifetime('2s', '3650d', '30d'),
    describe: 'How long a session lasts after the log-in. Refreshing does not extend it.',
  },
  rotationGrace: {
    env: 'COUNTERSIGN_ROTATION_GRACE',
    schema: lifetime('0s', '60s', '10s'),
    describe:
      'How long a refresh token that was already used still returns the same successor, for tabs and retries.',
  },
  rotateRefresh: {
    env: 'COUNTERSIGN_ROTATE_REFRESH',
    schema: flag().default(true),
    describe:
      'With `false`, a refresh returns an access token only, and the refresh token stays the same.',
  },
  healing: {
    env: 'COUNTERSIGN_HEALING',
    schema: oneOf('accept', 'refuse').default('accept'),
    describe:
      'What to do with a refresh token that is one rotation newer than the database, which happens when the database lost its last write. `accept` continues from the token. `refuse` ends its session.',
  },
  argon2MemoryKib: {
    env: 'COUNTERSIGN_ARGON2_MEMORY_KIB',
    schema: integer(8_192, 4_194_304).default(19_456),
    describe: 'The memory of one Argon2id password hash, in KiB.',
  },
  argon2Passes: {
    env: 'COUNTERSIGN_ARGON2_PASSES',
    schema: integer(1, 100).default(2),
    describe: 'The passes of Argon2id over its memory.',
  },
  argon2Lanes: {
    env: 'COUNTERSIGN_ARGON2_LANES',
    schema: integer(1, 16).default(1),
    describe: 'The lanes of Argon2id.',
  },
  origins: {
    env: 'COUNTERSIGN_ORIGINS',
    schema: origins(),
    describe:
      'Other origins whose pages may call the server with cookies. Browsers do not send the cookies from another site. Startup logs `origin_of_another_site` for such an origin.',
  },
  cookieDomain: {
    env: 'COUNTERSIGN_COOKIE_DOMAIN',
    schema: domain().optional(),
    describe:
      'Shares the cookies among the hosts of this domain. It must be the host of the public URL or a domain above it. Without it the cookies belong to one host, which is safer.',
  },
  trustedProxies: {
    env: 'COUNTERSIGN_TRUSTED_PROXIES',
    schema: networks(),
    describe: 'The proxies whose `X-Forwarded-For` is believed.',
  },
  throttle: {
    env: 'COUNTERSIGN_THROTTLE',
    schema: throttle(),
    describe:
      'The wrong log-ins that are allowed: `account` at one account from unknown places, `source` at one account from one address, `address` from one address, `device` at one account from a device that it knows. Each takes at most 999999 tries in 1s to 24h. A rate that is not named keeps its default.',
  },
  signUp: {
    env: 'COUNTERSIGN_SIGN_UP',
    schema: flag().default(false),
    describe: 'With `true`, `POST /auth/signup` creates accounts without roles.',
  },
  signingAlg: {
    env: 'COUNTERSIGN_SIGNING_ALG',
    schema: oneOf(...SIGNING_ALGS).default('ES256'),
    describe: 'The algorithm of the next signing key.',
  },
  keyRotation: {
    env: 'COUNTERSIGN_KEY_ROTATION',
    schema: lifetimeOrOff('1h', '3650d', '30d'),
    describe:
      'How long a key signs before the next one replaces it. At least the key lead. With `off`, a key signs until you rotate it.',
  },
  keyLead: {
    env: 'COUNTERSIGN_KEY_LEAD',
    schema: lifetime('10m', '90d', '24h'),
    describe: 'How long a key is published before it signs, so that services fetch it in time.',
  },
  redisUrl: {
    env: 'REDIS_URL',
    schema: redisUrl().optional(),
    describe:
      'The Redis (6 or newer) or Valkey where services in other languages read revocations.',
  },
  logLevel: {
    env: 'COUNTERSIGN_LOG_LEVEL',
    schema: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
    describe:
      'The least severe log lines to write. The log is JSON, one object a line, on standard error.',
  },
} as const satisfies Record<
  string,
  { readonly env: string; readonly schema: z.ZodType; readonly describe: string }
>

type Table = typeof table
type Key = keyof Table

/** What a program may set. Every setting is optional, and text is read in the form of the environment. */
export type SettingsInput = { readonly [K in Key]?: z.input<Table[K]['schema']> | undefined }

/** Checked settings, with their defaults. */
export interface Settings {
  readonly port: number
  readonly host: string
  /** An absolute path. */
  readonly dataDir: string
  /** The issuer: the URL at which clients reach this server, without a slash at the end. */
  readonly publicUrl: string
  readonly audience: string
  /** All open what was sealed, and the first seals. Undefined: the server generates one in the data directory. */
  readonly secrets: readonly string[] | undefined
  /** Sign access tokens in place of the key ring (HS256). The first signs, and all verify. */
  readonly sharedSecrets: readonly string[] | undefined
  readonly admin: { readonly username: string; readonly password: string | undefined }
  readonly accessLifetimeSec: number
  readonly refreshLifetimeSec: number
  readonly sessionLifetimeSec: number
  readonly rotationGraceMs: number
  readonly rotateRefresh: boolean
  readonly healing: 'accept' | 'refuse'
  readonly argon2: { readonly memoryKib: number; readonly passes: number; readonly lanes: number }
  /** Undefined: wrong log-ins are not counted. */
  readonly throttle: ThrottleRates | undefined
  readonly http: HttpSettings
  /** The keys that sign access tokens, and when they change. */
  readonly keys: {
    readonly alg: SigningAlg
    readonly rotationMs: number | undefined
    readonly leadMs: number
  }
  /** The Redis where services in other languages read revocations. May contain a password. */
  readonly redisUrl: string | undefined
  readonly logLevel: string
  readonly production: boolean
}

type Parsed = { readonly [K in Key]: z.output<Table[K]['schema']> }

/** The first mistake of each setting, under its name in the environment. */
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
    throw new SetupError(['Some settings are not valid:', ...lines].join('\n'))
  }
}

/**
 * Checks all settings at once. Throws a `SetupError` that names each mistake with its setting, never
 * with its value, which may be a secret. `production` is true when NODE_ENV is `production`.
 */
export function parseSettings(input: SettingsInput, options: { production: boolean }): Settings {
  const mistakes = new Mistakes()
  for (const key of Object.keys(input)) {
    if (!Object.hasOwn(table, key))
      mistakes.addName(key, 'is not a setting. See: countersign start --help')
  }
  const given = parseEach(input, mistakes)
  const secrets = readSecrets('secret', given, mistakes)
  const sharedSecrets = readSecrets('sharedSecret', given, mistakes)
  checkSharedSecrets(secrets, sharedSecrets, mistakes)
  const adminPassword = readAdminPassword(given, mistakes)
  checkLifetimes(given, mistakes)
  checkKeyTimes(given, mistakes)
  checkCookieDomain(given, mistakes)
  if (options.production) checkProduction(given, secrets, mistakes)
  else checkPublic(given, secrets, mistakes)
  mistakes.throwIfAny()

  // Complete: a key without a value has a mistake, and `throwIfAny` has thrown.
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
    mistakes.add(key, `set this or ${nameOf(fileKey)}, not both`)
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
      `each secret needs at least ${limits.secretCharsMin} random characters. Generate one: openssl rand -base64 32`,
    )
  }
  return secrets
}

/** The secret that seals the keys must not be shared with services. */
function checkSharedSecrets(
  secrets: readonly string[] = [],
  shared: readonly string[] = [],
  mistakes: Mistakes,
): void {
  if (shared.some((each) => secrets.includes(each))) {
    mistakes.add('sharedSecret', `must differ from ${nameOf('secret')}, which no service may know`)
  }
}

function isWeak(secret: string): boolean {
  return secret.length < limits.secretCharsMin || new Set(secret).size < 10
}

function readAdminPassword(given: Partial<Parsed>, mistakes: Mistakes): string | undefined {
  if (given.adminPassword !== undefined && given.adminPasswordFile !== undefined) {
    mistakes.add('adminPassword', `set this or ${nameOf('adminPasswordFile')}, not both`)
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

/** The reason without the path, which Node's errors repeat. The path may be a secret in the wrong setting. */
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

/** A pending key must not wait longer than the active key signs. */
function checkKeyTimes({ keyRotation, keyLead }: Partial<Parsed>, mistakes: Mistakes): void {
  if (keyRotation !== undefined && keyLead !== undefined && keyLead > keyRotation) {
    mistakes.add('keyRotation', `must not be shorter than ${nameOf('keyLead')}`)
  }
}

/** Browsers reject cookies for a domain that does not contain the server. */
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
      `must be set with NODE_ENV=production (or ${nameOf('secretFile')}). Generate one: openssl rand -base64 32`,
    )
  }
  if (given.publicUrl?.startsWith('https://') !== true) {
    mistakes.add('publicUrl', 'must begin with https:// with NODE_ENV=production')
  }
}

/** A server with a public https URL needs a secret of its own, even when nobody has set NODE_ENV. */
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
      `must be set for an https public URL (or ${nameOf('secretFile')}). Generate one: openssl rand -base64 32`,
    )
  }
}

/**
 * The settings in the environment. An empty variable counts as not set. An unknown `COUNTERSIGN_`
 * name is passed on, so that `parseSettings` reports it with the other mistakes.
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

/** A setting as the help and the reference show it. */
export interface SettingDescription extends SchemaDescription {
  /** Its name in `countersign.config.ts`. */
  readonly name: string
  readonly env: string
  /** What it means, in Markdown. */
  readonly describe: string
}

/** All settings, in the order of the table. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.entries(table).map(([name, { env, schema, describe }]) => {
    const { values, fallback } = describeSchema(schema)
    return { name, env, describe, values, fallback }
  })
}
