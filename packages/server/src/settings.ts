import { resolve } from 'node:path'
import { getSystemErrorMessage } from 'node:util'

import { hostKindOf, isSecureEnough } from '@countersign/guard'
import type { z } from 'zod'

import type { BreachedSource } from './accounts/breached.ts'
import type { LinkPurpose, Links } from './by-mail/links.ts'
import type { ThrottleRates } from './accounts/throttle.ts'
import { SetupError } from './base/faults.ts'
import { limits } from './base/limits.ts'
import { canEverybodyWrite } from './base/ownership.ts'
import { readTextFile, stripByteOrderMark } from './base/text-file.ts'
import type { FactorPolicy } from './factors/policy.ts'
import type { SiteLinks } from './base/site-links.ts'
import type { HttpSettings } from './http/services.ts'
import type { SigningAlg } from './keys/material.ts'
import { COMMENT_ADVICE, findMeantOption, findMeantVariable } from './settings-environment.ts'
import type { SmtpServer } from './mail/smtp-url.ts'
import type { MailSender } from './settings-schemas.ts'
import { table, type SettingName, type SettingsInput, type Table } from './settings-table.ts'
import type { Retention } from './upkeep.ts'
import type { UpstreamSettings } from './upstream/provider.ts'
import { readUpstreams } from './upstream/read-settings.ts'

/** Checked settings, with their defaults. */
export interface Settings {
  readonly port: number
  readonly host: string
  /** An absolute path. */
  readonly dataDir: string
  /** The issuer: the URL at which clients reach this server, without a slash at the end. */
  readonly publicUrl: string
  readonly audience: string
  /**
   * The first secret seals, and all of them open. Undefined: the server generates a secret in the data
   * directory.
   */
  readonly secrets: readonly string[] | undefined
  /** The first secret signs access tokens in place of the key ring (HS256), and all of them verify. */
  readonly sharedSecrets: readonly string[] | undefined
  readonly admin: { readonly username: string; readonly password: string | undefined }
  readonly accessLifetimeSec: number
  readonly refreshLifetimeSec: number
  readonly sessionLifetimeSec: number
  readonly rotationGraceMs: number
  readonly rotateRefresh: boolean
  readonly healing: 'accept' | 'refuse'
  readonly argon2: { readonly memoryKib: number; readonly passes: number; readonly lanes: number }
  /** Where new passwords are looked up. Undefined: nowhere. */
  readonly breachedPasswords: BreachedSource | undefined
  /** Undefined: wrong logins are not counted. */
  readonly throttle: ThrottleRates | undefined
  readonly http: HttpSettings
  /** Who needs a second factor, and what counts as one. */
  readonly factors: FactorPolicy
  /** The configured RP ID of passkeys. Undefined: it is derived from the public URL. */
  readonly passkeyRpId: string | undefined
  /** The providers whose identities can log in. */
  readonly upstreams: UpstreamSettings
  /** How the pages look. */
  readonly site: SiteSettings
  /** The pages of the application that links in mails open. */
  readonly links: Links
  /** A file with applications. An absolute path. */
  readonly applicationsFile: string | undefined
  /** Whether the server may call applications at private and loopback addresses. */
  readonly outboundPrivate: boolean
  /** How long the server keeps an idle connection open. */
  readonly keepAliveMs: number
  /** The algorithm and the rotation times of the keys that sign access tokens. */
  readonly keys: {
    readonly alg: SigningAlg
    readonly rotationMs: number | undefined
    readonly leadMs: number
  }
  /** The PostgreSQL that keeps everything. Undefined: the embedded database. The URL may contain a password. */
  readonly databaseUrl: string | undefined
  /** The most connections of this process to PostgreSQL. */
  readonly databaseConnectionsMax: number
  /** The Redis from which services in other languages read revocations. The URL may contain a password. */
  readonly redisUrl: string | undefined
  /** How long audit lines and revocation log entries are kept. */
  readonly retention: Retention
  /** How many live sessions an account may have. Undefined: any number. */
  readonly sessionsPerAccountMax: number | undefined
  /** Undefined: this server sends no mail. So it cannot offer anything that needs a mail. */
  readonly mail: MailSettings | undefined
  readonly logLevel: string
  readonly production: boolean
}

/** The settings of the pages' look. Paths are absolute. */
export interface SiteSettings {
  /** Undefined: the host of the public URL. */
  readonly name: string | undefined
  readonly colour: string | undefined
  readonly links: SiteLinks
  readonly logo: string | undefined
  readonly style: string | undefined
  readonly words: string | undefined
}

/** The settings of mails. */
export interface MailSettings {
  /** Undefined only in development: mails stay in memory, and `/dev/outbox` shows them. */
  readonly smtp: SmtpServer | undefined
  readonly from: MailSender
  /** An absolute path. */
  readonly templates: string | undefined
  /** The language of mails to people whose language is not known. */
  readonly locale: 'en' | 'de'
}

type Parsed = { readonly [K in SettingName]: z.output<Table[K]['schema']> }

/** Returns the name under which a person set a setting, or would set it. */
export type NameOf = (key: SettingName) => string

/** The name of a setting in the environment. */
export const variableOf: NameOf = (key) => table[key].env

/** The first mistake of each setting, under the name that the person knows. */
class Mistakes {
  readonly #first = new Map<string, string>()
  readonly nameOf: NameOf

  constructor(nameOf: NameOf) {
    this.nameOf = nameOf
  }

  add(key: SettingName, mistake: string): void {
    this.addName(this.nameOf(key), mistake)
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
 * Checks all settings at once. Throws a `SetupError` that names each mistake with its setting, and shows the
 * value if it cannot be a secret. `production` is true when NODE_ENV is `production`. `nameOf` is for the
 * messages.
 */
export function parseSettings(
  input: SettingsInput,
  options: { production: boolean; nameOf?: NameOf },
): Settings {
  const mistakes = new Mistakes(options.nameOf ?? variableOf)
  for (const key of Object.keys(input)) {
    if (!Object.hasOwn(table, key)) mistakes.addName(stripByteOrderMark(key), explainUnknown(key))
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
  checkPlainHttp(given, mistakes)
  checkBreachedService(given, mistakes)
  checkMail(given, options.production, mistakes)
  checkPages(given, mistakes)
  if (options.production) checkProduction(given, secrets, mistakes)
  else checkPublic(given, secrets, mistakes)
  checkShared(given, secrets, mistakes)
  const upstreams = readUpstreams(given, mistakes)
  mistakes.throwIfAny()

  // Every key has a value here. A key without a value is a mistake, and `throwIfAny` has thrown.
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
    breachedPasswords: parsed.breachedPasswords,
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
      forwardedHeader: parsed.forwardedHeader,
      corsHeaders: parsed.corsHeaders,
      hstsSubdomains: parsed.hstsSubdomains,
      pages: parsed.pages,
      signUp: parsed.signUp || parsed.signUpVerified,
      signUpVerified: parsed.signUpVerified,
      mailLogin: parsed.mailLogin,
      sso: parsed.sso || parsed.applicationsFile !== undefined,
      applicationUrl: parsed.links.app ?? '/',
      usernameField: parsed.usernameField,
    },
    factors: {
      everyone: parsed.secondFactor === 'required',
      roles: parsed.secondFactorRoles,
      tenants: parsed.secondFactorTenants,
      graceMs: toMs(parsed.secondFactorGrace) ?? 0,
      mailed: parsed.secondFactorMail,
      rememberMs: toMs(parsed.rememberDevice),
      freshMs: parsed.stepUpAge * 1000,
    },
    passkeyRpId: parsed.passkeyRpId,
    upstreams,
    site: {
      name: parsed.siteName,
      colour: parsed.siteColor,
      links: parsed.siteLinks,
      logo: toPath(parsed.siteLogo),
      style: toPath(parsed.siteStyle),
      words: toPath(parsed.siteWords),
    },
    links: parsed.links,
    applicationsFile: toPath(parsed.applicationsFile),
    outboundPrivate: parsed.outboundPrivate ?? !options.production,
    keepAliveMs: parsed.keepAlive * 1000,
    databaseUrl: parsed.databaseUrl,
    databaseConnectionsMax: parsed.databaseConnectionsMax,
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
    mail: readMail(parsed, options.production),
    logLevel: parsed.logLevel,
    production: options.production,
  }
}

function parseEach(input: SettingsInput, mistakes: Mistakes): Partial<Parsed> {
  const values: Partial<Record<SettingName, unknown>> = {}
  for (const key of Object.keys(table) as SettingName[]) {
    const result = table[key].schema.safeParse(input[key])
    if (hasComment(key, input[key])) {
      mistakes.add(key, `must not contain a comment (" #"). ${COMMENT_ADVICE}`)
    } else if (result.success) values[key] = result.data
    else {
      const message = result.error.issues[0]?.message ?? 'is not valid'
      mistakes.add(key, `${message}${showValue(key, input[key])}`)
    }
  }
  // Each value came out of the schema of its key.
  return values as Partial<Parsed>
}

function explainUnknown(name: string): string {
  if (name !== stripByteOrderMark(name)) {
    return 'its file begins with a byte order mark. Save the file as UTF-8 without it'
  }
  const meant = findMeantVariable(name) ?? findMeantOption(name)
  const advice = meant === undefined ? 'See: countersign start --help' : `Did you mean ${meant}?`
  return `is not a setting. ${advice}`
}

/** The settings whose values a message never shows. A file can be a secret that was set in the wrong place. */
const HIDDEN: ReadonlySet<SettingName> = new Set([
  'secret',
  'secretFile',
  'sharedSecret',
  'sharedSecretFile',
  'adminPassword',
  'adminPasswordFile',
  'databaseUrl',
  'redisUrl',
  'smtpUrl',
])

/** Whether a value ends with a comment. Only a password can contain ` #` on purpose. */
function hasComment(key: SettingName, value: unknown): boolean {
  return key !== 'adminPassword' && typeof value === 'string' && /\s#(?:\s|$)/.test(value)
}

const SHOWN_CHARS_MAX = 80

/**
 * Returns the end of a message that shows the value, unless the value is long or can be a secret in the wrong
 * setting.
 */
function showValue(key: SettingName, value: unknown): string {
  const isShort = typeof value === 'string' && value !== '' && value.length <= SHOWN_CHARS_MAX
  if (!isShort || HIDDEN.has(key) || key.endsWith('Secret') || /@|[\w+/=]{24}/.test(value))
    return ''
  return `. Its value is ${JSON.stringify(value)}`
}

function readSecrets(
  key: 'secret' | 'sharedSecret',
  given: Partial<Parsed>,
  mistakes: Mistakes,
): string[] | undefined {
  const fileKey = `${key}File` as const
  if (given[key] !== undefined && given[fileKey] !== undefined) {
    mistakes.add(key, `set this or ${mistakes.nameOf(fileKey)}, not both`)
    return undefined
  }
  const raw = given[key] ?? readFileSetting(fileKey, given[fileKey], mistakes)
  if (raw === undefined) return undefined
  const secrets = raw
    .split(/[,\r\n]/)
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

/** Rejects a shared secret that also seals the keys: services must not know the sealing secret. */
function checkSharedSecrets(
  secrets: readonly string[] = [],
  shared: readonly string[] = [],
  mistakes: Mistakes,
): void {
  if (shared.some((each) => secrets.includes(each))) {
    mistakes.add(
      'sharedSecret',
      `must differ from ${mistakes.nameOf('secret')}, which no service may know`,
    )
  }
}

function isWeak(secret: string): boolean {
  return secret.length < limits.secretCharsMin || new Set(secret).size < 10
}

function readAdminPassword(given: Partial<Parsed>, mistakes: Mistakes): string | undefined {
  if (given.adminPassword !== undefined && given.adminPasswordFile !== undefined) {
    mistakes.add('adminPassword', `set this or ${mistakes.nameOf('adminPasswordFile')}, not both`)
  }
  if (given.adminPassword !== undefined) return given.adminPassword
  const text = readFileSetting('adminPasswordFile', given.adminPasswordFile, mistakes)
  const password = text?.replace(/[\r\n]+$/, '')
  if (password !== undefined && /[\r\n]/.test(password)) {
    mistakes.add('adminPasswordFile', 'the file must contain one line')
  }
  return password
}

function readFileSetting(
  key: SettingName,
  path: string | undefined,
  mistakes: Mistakes,
): string | undefined {
  if (path === undefined) return undefined
  try {
    if (canEverybodyWrite(path)) {
      mistakes.add(key, 'every user of this machine can write to the file. Run: chmod o-w FILE')
    }
    return readTextFile(path)
  } catch (error) {
    mistakes.add(key, `the file cannot be read: ${whyUnreadable(error)}`)
    return undefined
  }
}

/**
 * Returns the reason without the path, which Node's errors contain. The path may be a secret in the wrong
 * setting.
 */
function whyUnreadable(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) return 'it is not the path of a file'
  if (error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'it is not UTF-8 text'
  return 'errno' in error && typeof error.errno === 'number'
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
      mistakes.add(shorter, `must not be longer than ${mistakes.nameOf(longer)}`)
    }
  }
}

const DAY_SEC = 86_400

/**
 * An entry of the revocation log is needed until the session that it ended would have expired. Without the
 * entry, a database that lost data could revive the session. Tokens do not outlive sessions. The extra day
 * allows for clocks that are set wrong. See `RevocationStore.prune`.
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
      `must be at least one day longer than ${mistakes.nameOf('sessionLifetime')}`,
    )
  }
}

/** A server that sends mails needs a sender. A sender alone means that the server was forgotten. */
function checkMail(given: Partial<Parsed>, production: boolean, mistakes: Mistakes): void {
  const { smtpUrl, mailFrom } = given
  if (smtpUrl !== undefined && mailFrom === undefined) {
    mistakes.add('mailFrom', `must be set with ${mistakes.nameOf('smtpUrl')}`)
  }
  if (production && smtpUrl === undefined) {
    for (const flow of ['signUpVerified', 'mailLogin', 'secondFactorMail'] as const) {
      if (given[flow] === true) mistakes.add(flow, `needs ${mistakes.nameOf('smtpUrl')}`)
    }
  }
  if (smtpUrl === undefined && mailFrom !== undefined) {
    mistakes.add('smtpUrl', `must be set with ${mistakes.nameOf('mailFrom')}`)
  }
}

/** Without the pages of the server, the links in mails need pages of the application. */
function checkPages(given: Partial<Parsed>, mistakes: Mistakes): void {
  const { pages, smtpUrl, links = {}, signUpVerified, mailLogin } = given
  if (pages !== false || smtpUrl === undefined) return
  const needed: readonly LinkPurpose[] = [
    'reset',
    'verify',
    'invite',
    ...(signUpVerified === true ? (['sign-up'] as const) : []),
    ...(mailLogin === true ? (['log-in'] as const) : []),
  ]
  const missing = needed.filter((purpose) => links[purpose] === undefined)
  if (missing.length === 0) return
  mistakes.add(
    'pages',
    `with false, ${mistakes.nameOf('links')} must name a page for ${missing.join(', ')}`,
  )
}

const DEV_SENDER: MailSender = { name: 'Countersign', address: 'countersign@localhost' }

function readMail(parsed: Parsed, production: boolean): MailSettings | undefined {
  const { smtpUrl: smtp, mailFrom, mailTemplates, mailLocale: locale } = parsed
  // A server with a public URL is no development server, also if NODE_ENV is not set: strangers could read the mails.
  const { hostname } = new URL(parsed.publicUrl ?? 'http://localhost')
  if (smtp === undefined && (production || hostKindOf(hostname) !== 'loopback')) return undefined
  const templates = mailTemplates === undefined ? undefined : resolve(mailTemplates)
  return { smtp, from: mailFrom ?? DEV_SENDER, templates, locale }
}

function toPath(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}

function toMs(sec: number | undefined): number | undefined {
  return sec === undefined ? undefined : sec * 1000
}

/** A pending key must not wait longer than the active key signs. */
function checkKeyTimes({ keyRotation, keyLead }: Partial<Parsed>, mistakes: Mistakes): void {
  if (keyRotation !== undefined && keyLead !== undefined && keyLead > keyRotation) {
    mistakes.add('keyRotation', `must not be shorter than ${mistakes.nameOf('keyLead')}`)
  }
}

/** Checks the cookie domain. Browsers reject cookies for a domain that does not contain the server. */
function checkCookieDomain(given: Partial<Parsed>, mistakes: Mistakes): void {
  if (given.cookieDomain === undefined) return
  const host = new URL(given.publicUrl ?? 'http://localhost').hostname
  if (host !== given.cookieDomain && !host.endsWith(`.${given.cookieDomain}`)) {
    mistakes.add(
      'cookieDomain',
      `must be the host of ${mistakes.nameOf('publicUrl')}, or a domain above it`,
    )
  }
}

/** Checks the public URL by the rule of guards. Otherwise no guard could use this server. */
function checkPlainHttp(
  { publicUrl, allowPrivateHttp = false }: Partial<Parsed>,
  mistakes: Mistakes,
): void {
  if (publicUrl === undefined || isSecureEnough(new URL(publicUrl), allowPrivateHttp)) return
  const isPrivate = hostKindOf(new URL(publicUrl).hostname) === 'private'
  mistakes.add(
    'publicUrl',
    isPrivate
      ? `is plain http to another machine. Use https://, or set ${mistakes.nameOf('allowPrivateHttp')}=true if the network is private`
      : 'must begin with https://, except for http://localhost',
  )
}

/** Applies the same rule to the service for breached passwords: everyone on the way could read the prefixes. */
function checkBreachedService(
  { breachedPasswords: source, allowPrivateHttp = false }: Partial<Parsed>,
  mistakes: Mistakes,
): void {
  if (source?.kind !== 'service' || isSecureEnough(new URL(source.url), allowPrivateHttp)) return
  mistakes.add(
    'breachedPasswords',
    `must begin with https://, except for a service on this machine, or in a private network with ${mistakes.nameOf('allowPrivateHttp')}=true`,
  )
}

function checkProduction(
  given: Partial<Parsed>,
  secrets: readonly string[] | undefined,
  mistakes: Mistakes,
): void {
  if (secrets === undefined && given.secretFile === undefined) {
    mistakes.add(
      'secret',
      `must be set with NODE_ENV=production (or ${mistakes.nameOf('secretFile')}). Generate one: openssl rand -base64 32`,
    )
  }
  const kind =
    given.publicUrl === undefined ? 'loopback' : hostKindOf(new URL(given.publicUrl).hostname)
  // A server in production whose clients are all on the same machine has forgotten its public URL.
  if (given.publicUrl?.startsWith('https://') !== true && kind === 'loopback') {
    mistakes.add('publicUrl', 'must begin with https:// with NODE_ENV=production')
  }
}

/** Every server on a database must open the same keys, so none may generate a secret of its own. */
function checkShared(
  given: Partial<Parsed>,
  secrets: readonly string[] | undefined,
  mistakes: Mistakes,
): void {
  if (given.databaseUrl === undefined) return
  if (secrets === undefined && given.secretFile === undefined) {
    mistakes.add(
      'secret',
      `must be set with ${mistakes.nameOf('databaseUrl')}, and be the same for all servers (or ${mistakes.nameOf('secretFile')}). Generate one: openssl rand -base64 32`,
    )
  }
}

/** A server with a public https URL needs a secret from its operator, also if NODE_ENV is not set. */
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
      `must be set for an https public URL (or ${mistakes.nameOf('secretFile')}). Generate one: openssl rand -base64 32`,
    )
  }
}
