import type { z } from 'zod'

import { FORWARDED_HEADERS } from './base/forwarded.ts'
import { limits } from './base/limits.ts'
import { SIGNING_ALGS } from './keys/material.ts'
import {
  breachedPasswords,
  describeSchema,
  colour,
  domain,
  fieldName,
  flag,
  headerNames,
  integer,
  integerOrOff,
  lifetime,
  lifetimeOrOff,
  links,
  mailFrom,
  names,
  networks,
  oneOf,
  origins,
  databaseUrl,
  redisUrl,
  siteLinks,
  siteName,
  smtpUrl,
  text,
  throttle,
  url,
  type SchemaDescription,
} from './settings-schemas.ts'
import { upstreamTable } from './settings-upstreams.ts'

const SECRETS = `at least ${limits.secretCharsMin} random characters; several separated by commas`

/**
 * Every setting: its name in `countersign.config.ts` and in `createAuthority`, its name in the
 * environment, its accepted values and its meaning in Markdown. Parsing, `countersign start --help`
 * and docs/reference/settings.md follow from it.
 */
export const table = {
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
      'The URL at which clients reach the server. It is the issuer (`iss`) of all tokens. Must begin with `https://`, except on this machine (`http://localhost`, not in production) and with `COUNTERSIGN_ALLOW_PRIVATE_HTTP`. Without it: `http://localhost:PORT`.',
  },
  allowPrivateHttp: {
    env: 'COUNTERSIGN_ALLOW_PRIVATE_HTTP',
    schema: flag().default(false),
    describe:
      'Whether the public URL may be plain http to a host without a public name: a single label such as `countersign`, a name that ends in `.internal`, `.local`, `.home.arpa`, `.test` or `.svc`, or a private address. Everyone in that network can then read tokens and replace keys. Guards need the option `allowPrivateHttp`.',
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
      'Encrypts (seals) the private keys in the database. With several secrets, the first one seals, and all of them open sealed keys. Required in production and with a public https URL. Otherwise the server generates one in the data directory.',
  },
  secretFile: {
    env: 'COUNTERSIGN_SECRET_FILE',
    schema: text('a path').optional(),
    describe:
      'A file that contains the value of `COUNTERSIGN_SECRET`. Several secrets can also stand on lines of their own. Docker and Kubernetes mount secrets as files.',
  },
  sharedSecret: {
    env: 'COUNTERSIGN_SHARED_SECRET',
    schema: text(SECRETS).optional(),
    describe:
      'Signs access tokens with HS256 in place of the key ring, for services that share this secret. Every holder of the secret can make tokens. With several secrets, the first one signs, and all of them verify. Must differ from `COUNTERSIGN_SECRET`.',
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
    describe: 'How long a session lasts after the login. Refreshing does not extend it.',
  },
  rotationGrace: {
    env: 'COUNTERSIGN_ROTATION_GRACE',
    schema: lifetime('0s', '60s', '10s'),
    describe:
      'How long a refresh token that was already used still returns the newest one, for tabs and retries.',
  },
  rotateRefresh: {
    env: 'COUNTERSIGN_ROTATE_REFRESH',
    schema: flag().default(true),
    describe:
      'With `false`, a refresh returns only an access token, and the refresh token stays the same.',
  },
  healing: {
    env: 'COUNTERSIGN_HEALING',
    schema: oneOf('accept', 'refuse').default('accept'),
    describe:
      'What to do with a refresh token that is one generation newer than the database, which happens when the database lost its last write. `accept` continues from the token. `refuse` ends its session.',
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
  breachedPasswords: {
    env: 'COUNTERSIGN_BREACHED_PASSWORDS',
    schema: breachedPasswords(),
    describe:
      'Rejects new passwords that are known from data breaches ([guide](../operations/breached-passwords.md)). With a URL, the server asks a range service: it appends the first five digits of the SHA-1 of the password, and never sends more. With `file:/PATH`, it searches a sorted file of lines `SHA-1:COUNT`. Plain http is allowed as for `COUNTERSIGN_PUBLIC_URL`. If a look-up fails, the password is accepted.',
  },
  origins: {
    env: 'COUNTERSIGN_ORIGINS',
    schema: origins(),
    describe:
      'Other origins whose pages may call the server with cookies, and native shells such as `capacitor://localhost`, which use tokens. Browsers do not send the cookies from another site. For an origin of another site, startup logs `origin_of_another_site`.',
  },
  corsHeaders: {
    env: 'COUNTERSIGN_CORS_HEADERS',
    schema: headerNames(),
    describe:
      'Request headers that pages of `COUNTERSIGN_ORIGINS` may send, besides `Authorization`, `Content-Type`, the CSRF token, and common headers of tracing and frameworks ([list](../guides/browsers.md#pages-on-another-origin)).',
  },
  hstsSubdomains: {
    env: 'COUNTERSIGN_HSTS_SUBDOMAINS',
    schema: flag().default(false),
    describe:
      'With `true`, browsers use https also for every subdomain of the host of the public URL, for a year (`includeSubDomains`). Set it only if all of them support https. Browsers use https for the host itself in any case, if the public URL is https.',
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
    describe: 'The proxies whose `X-Forwarded-For` header (or `Forwarded`) is trusted.',
  },
  forwardedHeader: {
    env: 'COUNTERSIGN_FORWARDED_HEADER',
    schema: oneOf(...FORWARDED_HEADERS).default('x-forwarded-for'),
    describe:
      'The header in which the trusted proxies name their clients. `forwarded` is the header of RFC 7239. The other header is ignored, because a client can send it through a proxy that does not write it.',
  },
  keepAlive: {
    env: 'COUNTERSIGN_KEEP_ALIVE',
    schema: lifetime('1s', '1h', '75s'),
    describe:
      'How long `countersign start` keeps an idle connection open. Set it longer than the idle timeout of a load balancer in front: AWS closes idle connections after 60 s by default, Google Cloud after 600 s. Otherwise the load balancer may send a request to a connection that was just closed, and answer 502.',
  },
  throttle: {
    env: 'COUNTERSIGN_THROTTLE',
    schema: throttle(),
    describe:
      'How many wrong logins are allowed. `account` counts those to one account from unknown addresses and browsers. `source` counts those to one account from one address. `address` counts those to all accounts from one address. `device` counts those to one account from a browser that has logged in to it before. `login` counts the correct logins to one account from one network, and allows ten times as many from all networks together. `recipient` counts the mails to one address that one network asks for, and allows four times as many from all networks together. `sender` counts the mails that one network asks for. Each rate allows at most 999999 attempts in 1s to 24h. A rate that is not named keeps its default.',
  },
  signUp: {
    env: 'COUNTERSIGN_SIGN_UP',
    schema: flag().default(false),
    describe: 'With `true`, `POST /auth/signup` creates accounts without roles.',
  },
  signUpVerified: {
    env: 'COUNTERSIGN_SIGN_UP_VERIFIED',
    schema: flag().default(false),
    describe:
      'With `true`, people sign up at `POST /auth/signup` with an e-mail address, and the account exists once they have proved it. Turns sign-up on. Needs mail.',
  },
  mailLogin: {
    env: 'COUNTERSIGN_MAIL_LOGIN',
    schema: flag().default(false),
    describe:
      'With `true`, people can log in with a code or a link from a mail, without a password. Needs mail.',
  },
  secondFactor: {
    env: 'COUNTERSIGN_SECOND_FACTOR',
    schema: oneOf('optional', 'required').default('optional'),
    describe:
      'With `optional`, people choose whether to set up a second factor, and an account that has one always needs it. With `required`, every account needs one.',
  },
  secondFactorRoles: {
    env: 'COUNTERSIGN_SECOND_FACTOR_ROLES',
    schema: names(),
    describe:
      'Accounts with one of these roles need a second factor: global roles, and roles in the tenant of the session.',
  },
  secondFactorTenants: {
    env: 'COUNTERSIGN_SECOND_FACTOR_TENANTS',
    schema: names(),
    describe: 'Sessions in one of these tenants need a second factor.',
  },
  secondFactorGrace: {
    env: 'COUNTERSIGN_SECOND_FACTOR_GRACE',
    schema: lifetimeOrOff('1h', '90d', '7d'),
    describe:
      'How long an account that needs a second factor may log in without one, from its first login on. With `off`, it must set one up at that login.',
  },
  secondFactorMail: {
    env: 'COUNTERSIGN_SECOND_FACTOR_MAIL',
    schema: flag().default(false),
    describe:
      'With `true`, a mailed code counts as the second factor of an account that needs one and has no authenticator app or passkey. It is weaker, because a stolen mailbox also resets the password. Needs mail.',
  },
  rememberDevice: {
    env: 'COUNTERSIGN_REMEMBER_DEVICE',
    schema: lifetimeOrOff('1h', `${limits.rememberDaysMax}d`, 'off'),
    describe:
      'How long a browser can be remembered in which a person gave a second factor. It is not asked for one until then, or until the password or a factor changes.',
  },
  stepUpAge: {
    env: 'COUNTERSIGN_STEP_UP_AGE',
    schema: lifetime('1m', '1h', '10m'),
    describe:
      'How old a proof may be for a change of how an account signs in. After that, the person proves again who they are.',
  },
  passkeyRpId: {
    env: 'COUNTERSIGN_PASSKEY_RP_ID',
    schema: text('a domain: `example.com`', 253).optional(),
    describe:
      'The domain that passkeys belong to (the RP ID of WebAuthn). It must be the host of the public URL, or a domain above it that you own. Without the setting, it is the registrable domain of the public URL. Once an account has a passkey, the server does not start with another domain, because every passkey would stop working.',
  },
  links: {
    env: 'COUNTERSIGN_LINKS',
    schema: links(),
    describe:
      'The pages of your frontend that links in mails open, such as `reset=https://app.example.com/reset`, separated by commas. The purposes are `sign-up`, `verify`, `reset`, `log-in` and `invite`. Each link gets the parameter `link`. `app` is where the pages of the server lead afterwards. Without a page, links open the pages of the server below its public URL.',
  },
  pages: {
    env: 'COUNTERSIGN_PAGES',
    schema: flag().default(true),
    describe:
      'With `false`, the server has no pages for people: no `/sign-in`, and none below `/auth/account`. With `COUNTERSIGN_SMTP_URL`, `COUNTERSIGN_LINKS` must then name a page for every link in a mail.',
  },
  siteName: {
    env: 'COUNTERSIGN_SITE_NAME',
    schema: siteName().optional(),
    describe: 'The name that the pages show. Without it: the host of the public URL.',
  },
  siteLogo: {
    env: 'COUNTERSIGN_SITE_LOGO',
    schema: text('a path').optional(),
    describe:
      'An SVG, PNG or WebP file of at most 8 KiB, which the pages show above the name, 40 pixels high. It decorates: the name stays.',
  },
  siteColor: {
    env: 'COUNTERSIGN_SITE_COLOR',
    schema: colour().optional(),
    describe:
      'The colour of buttons and links on the pages. The pages make it darker or lighter where it would be hard to read.',
  },
  siteLinks: {
    env: 'COUNTERSIGN_SITE_LINKS',
    schema: siteLinks(),
    describe:
      'Links at the end of every page: `imprint`, `privacy`, `terms` and `support`, such as `privacy=https://example.com/privacy`. `support` may be a `mailto:` URL.',
  },
  siteStyle: {
    env: 'COUNTERSIGN_SITE_STYLE',
    schema: text('a path').optional(),
    describe:
      'A CSS file of at most 64 KiB, whose rules come after those of the pages. It can load nothing: `url()` works only with `data:`.',
  },
  siteWords: {
    env: 'COUNTERSIGN_SITE_WORDS',
    schema: text('a path').optional(),
    describe:
      'A JSON file that replaces texts of the pages, such as `{"en": {"signIn": {"title": "Welcome back"}}}` ([guide](../guides/account-pages.md#words)).',
  },
  sso: {
    env: 'COUNTERSIGN_SSO',
    schema: flag().default(false),
    describe:
      'With `true`, applications can log people in with OpenID Connect. `COUNTERSIGN_APPLICATIONS_FILE` turns it on too.',
  },
  applicationsFile: {
    env: 'COUNTERSIGN_APPLICATIONS_FILE',
    schema: text('a path').optional(),
    describe:
      'A JSON file with a list of applications, which the server creates or changes when it starts ([guide](../applications.md#in-a-file)). Applications that the file does not name stay as they are.',
  },
  outboundPrivate: {
    env: 'COUNTERSIGN_OUTBOUND_PRIVATE',
    schema: flag().optional(),
    describe:
      'Whether the server may call applications at private and loopback addresses: their logout endpoints and key sets. Without it: `false` with `NODE_ENV=production`, otherwise `true`. Addresses of cloud metadata are refused in any case.',
  },
  ...upstreamTable,
  usernameField: {
    env: 'COUNTERSIGN_USERNAME_FIELD',
    schema: fieldName().default('username'),
    describe:
      'The name of the field with the username in `POST /api/token/`, and in its validation errors. `email` is for frontends of a Django site with `USERNAME_FIELD = "email"`.',
  },
  signingAlg: {
    env: 'COUNTERSIGN_SIGNING_ALG',
    schema: oneOf(...SIGNING_ALGS).default('ES256'),
    describe:
      'The algorithm of the next signing key. PyJWT and other libraries do not know the name `Ed25519` (RFC 9864) and reject its tokens.',
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
  auditRetention: {
    env: 'COUNTERSIGN_AUDIT_RETENTION',
    schema: lifetimeOrOff('1d', '36500d', '400d'),
    describe:
      'How long lines of the audit are kept. Older lines are deleted in small steps while the server runs. `off` never deletes them.',
  },
  revocationRetention: {
    env: 'COUNTERSIGN_REVOCATION_RETENTION',
    schema: lifetimeOrOff('1d', '36500d', '90d'),
    describe:
      'How long entries of the revocation log are kept. It must be at least one day longer than the session lifetime. The default grows with the session lifetime. `off` never deletes them.',
  },
  sessionsPerAccountMax: {
    env: 'COUNTERSIGN_SESSIONS_PER_ACCOUNT_MAX',
    schema: integerOrOff(1, 100_000),
    describe:
      'How many live sessions an account may have. A login ends the oldest sessions beyond this number. `off` sets no limit.',
  },
  databaseUrl: {
    env: 'DATABASE_URL',
    schema: databaseUrl().optional(),
    describe:
      'The PostgreSQL (13 or newer) that keeps everything, for one or several servers. `?sslmode=verify-full` requires TLS and checks the certificate. The server needs a database of its own, or a schema of its own with `?options=-csearch_path%3DNAME`. All servers on it need the same `COUNTERSIGN_SECRET`. Without it, the embedded database in `COUNTERSIGN_DATA_DIR` is used.',
  },
  databaseConnectionsMax: {
    env: 'COUNTERSIGN_DATABASE_CONNECTIONS_MAX',
    schema: integer(2, 500).default(10),
    describe:
      'The most connections of one process to PostgreSQL, besides the one that listens for changes. The sum over all processes must stay below `max_connections` of PostgreSQL.',
  },
  redisUrl: {
    env: 'REDIS_URL',
    schema: redisUrl().optional(),
    describe:
      'The Redis (6 or newer) or Valkey from which services in other languages read revocations. With `DATABASE_URL`, servers also tell each other about revocations and count log-ins there ([guide](../operations/redis.md)). `rediss` instead of `redis` uses TLS. Usernames and passwords stand before the hosts and are percent-encoded: `redis://USER:PASSWORD@HOST`. With Sentinels, NAME is the name of the primary, and `?sentinel_username=` and `?sentinel_password=` log in to the Sentinels. `?protocol=3` uses RESP3; without it, RESP2 is used, which every server and proxy knows.',
  },
  smtpUrl: {
    env: 'COUNTERSIGN_SMTP_URL',
    schema: smtpUrl().optional(),
    describe:
      'The server that accepts mails. `smtp://` requires STARTTLS, except for a server on this machine, and `smtps://` begins with TLS. `?tls=optional` sends without TLS if the server has none, and checks no certificate. The URL may contain a username and a password, percent-encoded. Without it, a server in development at `http://localhost` keeps mails in memory and shows them at `/dev/outbox`. Every other server sends no mail.',
  },
  mailFrom: {
    env: 'COUNTERSIGN_MAIL_FROM',
    schema: mailFrom().optional(),
    describe:
      'The sender of all mails. Required with `COUNTERSIGN_SMTP_URL`. The domain of its address should have SPF, DKIM and DMARC records for the SMTP server.',
  },
  mailLocale: {
    env: 'COUNTERSIGN_MAIL_LOCALE',
    schema: oneOf('en', 'de').default('en'),
    describe: 'The language of mails to people whose language is not known.',
  },
  mailTemplates: {
    env: 'COUNTERSIGN_MAIL_TEMPLATES',
    schema: text('a path').optional(),
    describe:
      'A folder with templates that replace the built-in mails ([guide](../guides/mail.md#templates)). The server checks them when it starts.',
  },
  logLevel: {
    env: 'COUNTERSIGN_LOG_LEVEL',
    schema: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
    describe:
      'The lowest level of the log lines that are written. The log is JSON, one object a line, on standard error.',
  },
} as const satisfies Record<
  string,
  { readonly env: string; readonly schema: z.ZodType; readonly describe: string }
>

/** The table of settings, as a type. */
export type Table = typeof table

/** The name of a setting in `countersign.config.ts`. */
export type SettingName = keyof Table

/**
 * The settings that a program may pass. Every setting is optional. A text is parsed like an environment
 * variable.
 */
export type SettingsInput = {
  readonly [K in SettingName]?: z.input<Table[K]['schema']> | undefined
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
