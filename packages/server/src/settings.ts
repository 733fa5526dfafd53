import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { z } from 'zod'

import { SetupError, messageOf } from './base/faults.ts'
import { limits } from './base/limits.ts'

/**
 * Every setting: its name in `countersign.config.ts` and in `createAuthority`, its name in the
 * environment, and what it may be. Lifetimes are a number with a unit: `90s`, `5m`, `12h`, `14d`.
 */
const table = {
  port: { env: 'PORT', schema: integer(1, 65_535).default(8000) },
  host: { env: 'HOST', schema: text().default('127.0.0.1') },
  dataDir: { env: 'COUNTERSIGN_DATA_DIR', schema: text().default('./data') },
  publicUrl: { env: 'COUNTERSIGN_PUBLIC_URL', schema: url().optional() },
  audience: { env: 'COUNTERSIGN_AUDIENCE', schema: text().optional() },
  secret: { env: 'COUNTERSIGN_SECRET', schema: text().optional() },
  secretFile: { env: 'COUNTERSIGN_SECRET_FILE', schema: text().optional() },
  adminUsername: { env: 'COUNTERSIGN_ADMIN_USERNAME', schema: text().optional() },
  adminPassword: { env: 'COUNTERSIGN_ADMIN_PASSWORD', schema: text().optional() },
  adminPasswordFile: { env: 'COUNTERSIGN_ADMIN_PASSWORD_FILE', schema: text().optional() },
  accessLifetime: { env: 'COUNTERSIGN_ACCESS_LIFETIME', schema: lifetime('1s', '24h', '5m') },
  refreshLifetime: { env: 'COUNTERSIGN_REFRESH_LIFETIME', schema: lifetime('2s', '365d', '14d') },
  sessionLifetime: { env: 'COUNTERSIGN_SESSION_LIFETIME', schema: lifetime('2s', '3650d', '30d') },
  rotationGrace: { env: 'COUNTERSIGN_ROTATION_GRACE', schema: lifetime('0s', '60s', '10s') },
  rotateRefresh: { env: 'COUNTERSIGN_ROTATE_REFRESH', schema: flag().default(true) },
  healing: { env: 'COUNTERSIGN_HEALING', schema: z.enum(['accept', 'refuse']).default('accept') },
  argon2MemoryKib: {
    env: 'COUNTERSIGN_ARGON2_MEMORY_KIB',
    schema: integer(8_192, 4_194_304).default(19_456),
  },
  argon2Passes: { env: 'COUNTERSIGN_ARGON2_PASSES', schema: integer(1, 100).default(2) },
  argon2Lanes: { env: 'COUNTERSIGN_ARGON2_LANES', schema: integer(1, 16).default(1) },
  logLevel: {
    env: 'COUNTERSIGN_LOG_LEVEL',
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
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
  readonly admin: { readonly username: string; readonly password: string | undefined }
  readonly accessLifetimeSec: number
  readonly refreshLifetimeSec: number
  readonly sessionLifetimeSec: number
  readonly rotationGraceMs: number
  readonly rotateRefresh: boolean
  readonly healing: 'accept' | 'refuse'
  readonly argon2: { readonly memoryKib: number; readonly passes: number; readonly lanes: number }
  readonly logLevel: string
  readonly production: boolean
}

type Parsed = { readonly [K in Key]: z.output<Table[K]['schema']> }

/**
 * Checks all settings at once. Throws a `SetupError` that names every mistake with its setting, never
 * with its value: that may be a secret.
 */
export function parseSettings(input: SettingsInput, options: { production: boolean }): Settings {
  const mistakes: string[] = []
  for (const key of Object.keys(input)) {
    if (!(key in table)) mistakes.push(`${key}: is not a setting`)
  }
  const parsed = parseEach(input, mistakes)
  if (mistakes.length > 0) throw mistakesError(mistakes)

  const settings = toSettings(parsed, options.production, mistakes)
  if (mistakes.length > 0) throw mistakesError(mistakes)
  return settings
}

function parseEach(input: SettingsInput, mistakes: string[]): Parsed {
  const values: Partial<Record<Key, unknown>> = {}
  for (const key of Object.keys(table) as Key[]) {
    const result = table[key].schema.safeParse(input[key])
    if (result.success) values[key] = result.data
    else mistakes.push(`${nameOf(key)}: ${result.error.issues[0]?.message ?? 'is not valid'}`)
  }
  // Complete where there is no mistake, and not used where there is one.
  return values as Parsed
}

function toSettings(parsed: Parsed, production: boolean, mistakes: string[]): Settings {
  const publicUrl = (parsed.publicUrl ?? `http://localhost:${parsed.port}`).replace(/\/+$/, '')
  const secrets = readSecrets(parsed, mistakes)
  const adminPassword = readAdminPassword(parsed, mistakes)
  checkLifetimes(parsed, mistakes)
  if (production) checkProduction(publicUrl, secrets, mistakes)
  return {
    port: parsed.port,
    host: parsed.host,
    dataDir: resolve(parsed.dataDir),
    publicUrl,
    audience: parsed.audience ?? publicUrl,
    secrets,
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
    logLevel: parsed.logLevel,
    production,
  }
}

function readSecrets(parsed: Parsed, mistakes: string[]): string[] | undefined {
  if (parsed.secret !== undefined && parsed.secretFile !== undefined) {
    mistakes.push(`${nameOf('secret')}: give it or ${nameOf('secretFile')}, not both`)
    return undefined
  }
  const key = parsed.secret === undefined ? 'secretFile' : 'secret'
  const raw = parsed.secret ?? readFileSetting('secretFile', parsed.secretFile, mistakes)
  if (raw === undefined) return undefined
  const secrets = raw
    .split(/[,\n]/)
    .map((each) => each.trim())
    .filter((each) => each !== '')
  if (secrets.length === 0 || secrets.some(isWeak)) {
    mistakes.push(
      `${nameOf(key)}: each secret needs at least ${limits.secretCharsMin} random characters, for example from: openssl rand -base64 32`,
    )
  }
  return secrets
}

function isWeak(secret: string): boolean {
  return secret.length < limits.secretCharsMin || new Set(secret).size < 10
}

function readAdminPassword(parsed: Parsed, mistakes: string[]): string | undefined {
  if (parsed.adminPassword !== undefined && parsed.adminPasswordFile !== undefined) {
    mistakes.push(`${nameOf('adminPassword')}: give it or ${nameOf('adminPasswordFile')}, not both`)
  }
  return (
    parsed.adminPassword ??
    readFileSetting('adminPasswordFile', parsed.adminPasswordFile, mistakes)?.replace(/\r?\n$/, '')
  )
}

function readFileSetting(
  key: Key,
  path: string | undefined,
  mistakes: string[],
): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    mistakes.push(`${nameOf(key)}: the file cannot be read: ${messageOf(error)}`)
    return undefined
  }
}

function checkLifetimes(parsed: Parsed, mistakes: string[]): void {
  if (parsed.accessLifetime > parsed.refreshLifetime) {
    mistakes.push(
      `${nameOf('accessLifetime')}: must not be longer than ${nameOf('refreshLifetime')}`,
    )
  }
  if (parsed.refreshLifetime > parsed.sessionLifetime) {
    mistakes.push(
      `${nameOf('refreshLifetime')}: must not be longer than ${nameOf('sessionLifetime')}`,
    )
  }
}

function checkProduction(
  publicUrl: string,
  secrets: readonly string[] | undefined,
  mistakes: string[],
): void {
  if (secrets === undefined) {
    mistakes.push(
      `${nameOf('secret')}: must be set with NODE_ENV=production (or ${nameOf('secretFile')}), for example from: openssl rand -base64 32`,
    )
  }
  if (!publicUrl.startsWith('https://')) {
    mistakes.push(`${nameOf('publicUrl')}: must begin with https:// with NODE_ENV=production`)
  }
}

/** The settings that the environment gives. Throws where it holds a `COUNTERSIGN_` name that is none. */
export function readEnvironment(environment: NodeJS.ProcessEnv): SettingsInput {
  const keys = new Map((Object.keys(table) as Key[]).map((key) => [table[key].env as string, key]))
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith('COUNTERSIGN_') && !keys.has(name),
  )
  if (unknown.length > 0) {
    throw mistakesError(unknown.map((name) => `${name}: is not a setting`))
  }
  const input: Record<string, string> = {}
  for (const [name, key] of keys) {
    const value = environment[name]
    if (value !== undefined && value !== '') input[key] = value
  }
  return input
}

function mistakesError(mistakes: readonly string[]): SetupError {
  return new SetupError(
    ['Some settings are not right:', ...mistakes.map((each) => `  ${each}`)].join('\n'),
  )
}

function nameOf(key: Key): string {
  return table[key].env
}

function text(): z.ZodString {
  return z.string('must be text').min(1, 'must not be empty')
}

function integer(min: number, max: number): z.ZodType<number, number | string> {
  const message = `must be a whole number from ${min} to ${max}`
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      message,
    )
    .pipe(z.number().int(message).min(min, message).max(max, message))
}

function flag(): z.ZodType<boolean, boolean | 'true' | 'false'> {
  return z.union(
    [z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')],
    'must be true or false',
  )
}

function url(): z.ZodType<string, string> {
  const message = 'must be an http or https URL without path, query, user or fragment'
  return z.string(message).refine((value) => {
    if (!URL.canParse(value)) return false
    const { protocol, pathname, search, hash, username, password } = new URL(value)
    const isHttp = protocol === 'http:' || protocol === 'https:'
    return isHttp && pathname === '/' && search + hash + username + password === ''
  }, message)
}

/** Seconds out of a text such as `5m`. */
function lifetime(
  min: string,
  max: string,
  standard: string,
): z.ZodType<number, string | undefined> {
  const message = `must be a time such as 90s, 5m, 12h or 14d, from ${min} to ${max}`
  return z
    .string(message)
    .default(standard)
    .transform((value) => toSeconds(value))
    .refine((seconds) => seconds >= toSeconds(min) && seconds <= toSeconds(max), message)
}

const SECONDS_OF: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 }

function toSeconds(value: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(value)
  return match === null ? Number.NaN : Number(match[1]) * SECONDS_OF[match[2]!]!
}
