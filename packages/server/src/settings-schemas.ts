import type { BlockList } from 'node:net'
import { fileURLToPath } from 'node:url'

import { z } from 'zod'

import { LINK_PURPOSES, type LinkPurpose, type Links } from './by-mail/links.ts'
import type { BreachedSource } from './accounts/breached.ts'
import { readEmailAddress } from './accounts/email-address.ts'
import type { Rate, ThrottleRates } from './accounts/throttle.ts'
import { parseNetworks } from './base/address.ts'
import { limits } from './base/limits.ts'
import { SITE_LINK_NAMES, type SiteLinkName, type SiteLinks } from './base/site-links.ts'
import { parseSmtpUrl, type SmtpServer } from './mail/smtp-url.ts'
import { parseRedisUrl } from './redis/url.ts'

/**
 * The kinds of settings: the values that each kind accepts, and the message for all other values. Each schema
 * describes its values in words (`meta.values`), for the help and docs/reference/settings.md.
 */

// A known device has ten attempts at once, and so has one address at one account, because people mistype.
// No person logs in once a second. A program that does should keep its session.
const THROTTLE_STANDARD =
  'account=50/1h,source=10/15m,address=100/10m,device=10/15m,login=60/1m,recipient=5/1h,sender=30/1h'

const SECONDS_OF: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Text that is not empty. `values` describes it in words. */
export function text(
  values: string = 'text',
  charsMax: number = limits.settingCharsMax,
): z.ZodString {
  return z
    .string('must be text')
    .min(1, 'must not be empty')
    .max(charsMax, `must have at most ${charsMax} characters`)
    .meta({ values })
}

/** A whole number, also as text. Both limits are accepted. */
export function integer(min: number, max: number): z.ZodType<number, number | string> {
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
    .meta({ values: `${min} to ${max}` })
}

/** A whole number, or `off`, which becomes undefined and is the default. */
export function integerOrOff(
  min: number,
  max: number,
): z.ZodType<number | undefined, number | string | undefined> {
  const message = `must be off, or a whole number from ${min} to ${max}`
  return z
    .union([z.number(), z.string()], message)
    .default('off')
    .transform((value) => (value === 'off' ? undefined : toInteger(value)))
    .refine(
      (value) =>
        value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max),
      message,
    )
    .meta({ values: `${min} to ${max}, or \`off\`` })
}

function toInteger(value: number | string): number {
  return typeof value === 'number' ? value : /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
}

/** True or false, also as text. */
export function flag(): z.ZodType<boolean, boolean | 'true' | 'false'> {
  return z
    .union(
      [z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')],
      'must be true or false',
    )
    .meta({ values: '`true`, `false`' })
}

/** One of these texts, in this spelling. */
export function oneOf<const Choice extends string>(
  ...choices: Choice[]
): z.ZodEnum<Record<Choice, Choice>> {
  return z
    .enum(choices, `must be one of ${choices.join(', ')}`)
    .meta({ values: choices.map((each) => `\`${each}\``).join(', ') })
}

/**
 * An http or https URL. Its value is the origin in one spelling, because issuers are compared byte by byte.
 */
export function url(): z.ZodType<string, string> {
  const message = 'must be an http or https URL without path, query, user or fragment'
  return z
    .string(message)
    .refine((value) => {
      if (value.length > limits.issuerCharsMax || !URL.canParse(value)) return false
      const { protocol, pathname, search, hash, username, password } = new URL(value)
      const isHttp = protocol === 'http:' || protocol === 'https:'
      return isHttp && pathname === '/' && search + hash + username + password === ''
    }, message)
    .transform((value) => new URL(value).origin)
    .meta({ values: 'an http or https URL without path, query, user and fragment' })
}

/** The URL of a Redis: one server, Sentinels or a cluster. It may contain a password. */
export function redisUrl(): z.ZodType<string, string> {
  return z
    .string('must be a URL such as redis://127.0.0.1:6379/0')
    .superRefine((value, context) => {
      const parsed = parseRedisUrl(value)
      if ('problem' in parsed) context.addIssue({ code: 'custom', message: parsed.problem })
    })
    .meta({
      values:
        '`redis://HOST:6379/0`, `redis+sentinel://HOST:26379,HOST:26379/NAME/0` or `redis+cluster://HOST:6379,HOST:6379`',
    })
}

/** The URL of a PostgreSQL database. It may contain a password. */
export function databaseUrl(): z.ZodType<string, string> {
  const message =
    'must be a URL such as postgres://USER:PASSWORD@HOST:5432/DATABASE, with ?sslmode=verify-full for TLS'
  return z
    .string(message)
    .refine((value) => URL.canParse(value) && /^postgres(?:ql)?:\/\/.+/.test(value), message)
    .meta({ values: '`postgres://USER:PASSWORD@HOST:5432/DATABASE`' })
}

/** The URL of an SMTP server. It may contain a password. */
export function smtpUrl(): z.ZodType<SmtpServer, string> {
  const message =
    'must be a URL such as smtp://USER:PASSWORD@mail.example.com:587, or smtps:// for TLS from the beginning'
  return (
    z
      .string(message)
      .refine((value) => parseSmtpUrl(value) !== undefined, message)
      // `refine` has accepted only texts that can be parsed.
      .transform((value) => parseSmtpUrl(value) as SmtpServer)
      .meta({ values: '`smtp://USER:PASSWORD@HOST:587`, or `smtps://`' })
  )
}

/** Where breached passwords are looked up: `off`, which becomes undefined, the URL of a service, or a file. */
export function breachedPasswords(): z.ZodType<BreachedSource | undefined, string | undefined> {
  const message =
    'must be off, a URL that ends in / or = such as https://pwned.example.com/range/, or a file such as file:/var/lib/pwned.txt'
  return z
    .string(message)
    .default('off')
    .refine((value) => value === 'off' || parseBreachedSource(value) !== undefined, message)
    .transform((value) => parseBreachedSource(value))
    .meta({ values: '`off`, an http or https URL, or `file:/PATH`' })
}

function parseBreachedSource(value: string): BreachedSource | undefined {
  const parsed = URL.parse(value)
  if (parsed === null || parsed.hash !== '') return undefined
  const { protocol, host, username, password } = parsed
  if (protocol === 'file:') {
    // Without the slash, a relative path would be read as an absolute one.
    const isPath = value.startsWith('file:/') && host === '' && !/%2f|%00/i.test(value)
    return isPath ? { kind: 'file', path: fileURLToPath(parsed) } : undefined
  }
  const isHttp = protocol === 'http:' || protocol === 'https:'
  const isPlain = username + password === '' && /[/=]$/.test(value)
  return isHttp && isPlain ? { kind: 'service', url: value } : undefined
}

/** An address that sends mails, with or without a name. */
export interface MailSender {
  /** May be empty. */
  readonly name: string
  readonly address: string
}

/** The sender of mails: `Example <no-reply@example.com>`, or an address. */
export function mailFrom(): z.ZodType<MailSender, string> {
  const message =
    'must be an address such as no-reply@example.com, or Example <no-reply@example.com>'
  return (
    z
      .string(message)
      .refine((value) => parseSender(value) !== undefined, message)
      // `refine` has accepted only texts that can be parsed.
      .transform((value) => parseSender(value) as MailSender)
      .meta({ values: 'an address, or `NAME <ADDRESS>`' })
  )
}

function parseSender(value: string): MailSender | undefined {
  const [, name = '', address = ''] =
    /^(?:([^<>"\p{C}]{0,100}?)\s*<([^<>\s]+)>|)$/u.exec(value) ?? []
  const sender = address === '' ? { name: '', address: value } : { name: name.trim(), address }
  return readEmailAddress(sender.address) === undefined ? undefined : sender
}

/** A list, or a text with commas, as in the environment. */
export function list(): z.ZodType<readonly string[], string | readonly string[] | undefined> {
  return z
    .union([z.string(), z.array(z.string()).readonly()], 'must be a list, separated by commas')
    .default([])
    .transform((value) =>
      (typeof value === 'string' ? value.split(',') : value)
        .map((each) => each.trim())
        .filter((each) => each !== ''),
    )
}

/**
 * Origins exactly as browsers write them, without a path. Never `*`. The pages of native shells have origins
 * with a scheme of their own, such as `capacitor://localhost`.
 */
export function origins(): z.ZodType<readonly string[], string | readonly string[] | undefined> {
  return list()
    .refine(
      (values) => values.every((each) => isWebOrigin(each) || NATIVE_ORIGIN.test(each)),
      'must be origins such as https://app.example.com, separated by commas, without a path; never *',
    )
    .meta({ values: 'origins, separated by commas: `https://app.example.com`' })
}

/** A scheme that is not one of the web, and a host, as web views write them. */
const NATIVE_ORIGIN =
  /^(?!(?:https?|wss?|ftp|file|data|blob|about|javascript):)[a-z][a-z\d+.-]*:\/\/[a-z\d.-]+$/

function isWebOrigin(value: string): boolean {
  return /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value
}

/** The name of a field in a body, as Python and forms write it. */
export function fieldName(): z.ZodType<string, string> {
  return z
    .string('must be text')
    .regex(
      /^(?!password$)[A-Za-z][A-Za-z0-9_]{0,63}$/,
      'must be the name of a field such as email, with letters, digits and "_"; not password',
    )
    .meta({ values: 'the name of a field: `email`' })
}

/** Names of request headers, in the spelling that was given. */
export function headerNames(): z.ZodType<
  readonly string[],
  string | readonly string[] | undefined
> {
  return list()
    .refine(
      (values) => values.every((each) => /^[\w!#$%&'*+.^`|~-]{1,64}$/.test(each) && each !== '*'),
      'must be names of headers such as X-Client-Version, separated by commas; never *',
    )
    .meta({ values: 'names of headers, separated by commas: `X-Client-Version`' })
}

/** Names of roles or tenants. */
export function names(): z.ZodType<readonly string[], string | readonly string[] | undefined> {
  return list()
    .refine(
      (values) => values.every((each) => /^[A-Za-z0-9][\w.:/-]{0,63}$/.test(each)),
      'must be names such as admin, separated by commas',
    )
    .meta({ values: 'names, separated by commas' })
}

/** A domain in lower case, without a dot in front. */
export function domain(): z.ZodType<string, string> {
  return z
    .string('must be text')
    .regex(
      /^(?=.{1,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)+$/,
      'must be a domain such as example.com, in lower case, without a dot in front',
    )
    .meta({ values: 'a domain: `example.com`' })
}

/** IP addresses and networks. An empty list becomes undefined. */
export function networks(): z.ZodType<
  BlockList | undefined,
  string | readonly string[] | undefined
> {
  const message = 'must be addresses or networks such as 10.0.0.0/8, separated by commas'
  return list()
    .refine((values) => parseNetworks(values) !== undefined, message)
    .transform((values) => (values.length === 0 ? undefined : parseNetworks(values)))
    .meta({ values: 'addresses and networks, separated by commas: `10.0.0.0/8,::1`' })
}

/** The pages of a frontend that links in mails open, by their purpose. */
export function links(): z.ZodType<Links, string | undefined> {
  const message =
    'must be pages such as reset=https://app.example.com/reset, separated by commas, for the purposes sign-up, verify, reset, log-in, invite and app'
  return (
    z
      .string(message)
      .default('')
      .refine((value) => parseLinks(value) !== undefined, message)
      // Refined above.
      .transform((value) => parseLinks(value) ?? {})
      .meta({ values: 'pages `PURPOSE=URL`, separated by commas' })
  )
}

function parseLinks(value: string): Links | undefined {
  const found: Partial<Record<LinkPurpose, string>> = {}
  for (const part of value.split(',')) {
    if (part.trim() === '') continue
    const [, name, page = ''] = /^([\w-]+)=(.+)$/.exec(part.trim()) ?? []
    const purpose = LINK_PURPOSES.find((each) => each === name)
    if (purpose === undefined || !isPage(page)) return undefined
    found[purpose] = page
  }
  return found
}

/** Links carry secrets, so plain http is for this machine only. */
function isPage(given: string): boolean {
  const page = URL.parse(given)
  if (page === null || page.username !== '' || page.password !== '' || page.hash !== '')
    return false
  return page.protocol === 'https:' || (page.protocol === 'http:' && page.hostname === 'localhost')
}

/** The name of a site: one line. */
export function siteName(): z.ZodType<string, string> {
  return z
    .string('must be text')
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,60}$/u, 'must be 1 to 60 characters in one line')
    .meta({ values: '1 to 60 characters' })
}

/** A colour. */
export function colour(): z.ZodType<string, string> {
  return z
    .string('must be text')
    .regex(/^#[\da-f]{6}$/i, 'must be a colour such as #2a6448, with six digits')
    .meta({ values: 'a colour: `#2a6448`' })
}

/** Links at the end of every page. */
export function siteLinks(): z.ZodType<SiteLinks, string | undefined> {
  const message =
    'must be links such as privacy=https://example.com/privacy, separated by commas, with the names imprint, privacy, terms and support'
  return z
    .string(message)
    .default('')
    .refine((value) => parseSiteLinks(value) !== undefined, message)
    .transform((value) => parseSiteLinks(value) ?? {})
    .meta({ values: 'links `NAME=URL`, separated by commas' })
}

function parseSiteLinks(value: string): SiteLinks | undefined {
  const found: Partial<Record<SiteLinkName, string>> = {}
  for (const part of value.split(',')) {
    if (part.trim() === '') continue
    const [, key, target = ''] = /^(\w+)=(.+)$/.exec(part.trim()) ?? []
    const name = SITE_LINK_NAMES.find((each) => each === key)
    const protocol = URL.parse(target)?.protocol
    if (name === undefined || !(protocol === 'https:' || protocol === 'mailto:')) return undefined
    found[name] = target
  }
  return found
}

/**
 * `off`, which becomes undefined, or rates such as `account=50/1h`. Rates that are not named keep their
 * default.
 */
export function throttle(): z.ZodType<ThrottleRates | undefined, string | undefined> {
  const message = `must be off, or rates such as ${THROTTLE_STANDARD}`
  return z
    .string(message)
    .default(THROTTLE_STANDARD)
    .refine((value) => value === 'off' || parseRates(value) !== undefined, message)
    .transform((value) => (value === 'off' ? undefined : parseRates(value)))
    .meta({ values: '`off`, or rates `NAME=ATTEMPTS/TIME`, separated by commas' })
}

function parseRates(value: string): ThrottleRates | undefined {
  const rates: Partial<Record<keyof ThrottleRates, Rate>> = {}
  for (const part of `${THROTTLE_STANDARD},${value}`.split(',')) {
    const match = /^(account|source|address|device|login|recipient|sender)=(\d{1,6})\/(\w+)$/.exec(
      part.trim(),
    )
    const [, name, tries, period = ''] = match ?? []
    const [triesMax, periodSec] = [Number(tries), toSeconds(period)]
    if (name === undefined || !(triesMax >= 1 && periodSec >= 1 && periodSec <= 86_400)) {
      return undefined
    }
    // The expression accepts only these names.
    rates[name as keyof ThrottleRates] = { triesMax, periodMs: periodSec * 1000 }
  }
  // All rates are set, because the default, which is parsed first, names all of them.
  return rates as ThrottleRates
}

/** Seconds from a text such as `5m`. Both limits are accepted. */
export function lifetime(
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
    .meta({ values: `${min} to ${max}` })
}

/** Like `lifetime`, or `off`, which becomes undefined. */
export function lifetimeOrOff(
  min: string,
  max: string,
  standard: string,
): z.ZodType<number | undefined, string | undefined> {
  const message = `must be off, or a time such as 90s, 5m, 12h or 14d, from ${min} to ${max}`
  return z
    .string(message)
    .default(standard)
    .transform((value) => (value === 'off' ? undefined : toSeconds(value)))
    .refine(
      (seconds) =>
        seconds === undefined || (seconds >= toSeconds(min) && seconds <= toSeconds(max)),
      message,
    )
    .meta({ values: `${min} to ${max}, or \`off\`` })
}

function toSeconds(value: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(value)
  return match === null ? Number.NaN : Number(match[1]) * SECONDS_OF[match[2]!]!
}

/** The description that a schema of this file carries. */
export interface SchemaDescription {
  /** The accepted values in words, as Markdown. */
  readonly values: string
  /** The default, in the form of the environment. Undefined when the setting has no default. */
  readonly fallback: string | undefined
}

/**
 * Reads the values and the default out of a schema. Throws a `TypeError` if the schema does not describe its
 * values, which is a bug.
 */
export function describeSchema(schema: z.ZodType): SchemaDescription {
  let values: unknown
  let fallback: unknown
  // `.default()`, `.optional()` and `.transform()` wrap their schema.
  for (
    let inner: z.core.$ZodType | undefined = schema;
    inner !== undefined;
    inner = unwrap(inner)
  ) {
    values ??= z.globalRegistry.get(inner)?.['values']
    if (inner instanceof z.ZodDefault) fallback ??= inner.def.defaultValue
  }
  if (typeof values !== 'string') throw new TypeError('a schema of a setting states no values')
  const isGiven = fallback !== undefined && !(Array.isArray(fallback) && fallback.length === 0)
  return { values, fallback: isGiven ? String(fallback) : undefined }
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return schema.def.innerType
  return schema instanceof z.ZodPipe ? schema.def.in : undefined
}
