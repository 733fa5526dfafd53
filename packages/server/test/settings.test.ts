import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAuthority } from '../src/authority.ts'
import { SetupError } from '../src/base/faults.ts'
import { isProduction, readEnvironment } from '../src/settings-environment.ts'
import type { SettingsInput } from '../src/settings-table.ts'
import { parseSettings, type Settings } from '../src/settings.ts'
import { runCommand } from './support/command-line.ts'

const STRONG = 'TXkgc2VjcmV0IGZvciB0ZXN0cyBvbmx5LCAzMiBieXRlcw'
const OTHER = 'QW5vdGhlciBzZWNyZXQsIGFsc28gb25seSBmb3IgdGVzdHM'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-settings-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

const GOOD_SECRET = 'a-secret-of-many-different-characters-0123456789'

type Environment = Readonly<Record<string, string>>

function parse(environment: Environment, production = false): Settings {
  return parseSettings(readEnvironment(environment), { production })
}

/** The reported mistakes, one a line. Fails when there is none. */
function mistakesOf(environment: Environment, production = false): string[] {
  try {
    parse(environment, production)
  } catch (error) {
    expect(error).toBeInstanceOf(SetupError)
    const [first, ...lines] = (error as SetupError).message.split('\n')
    expect(first).toBe('Some settings are not valid:')
    return lines.map((line) => line.trim())
  }
  throw new Error('all settings are valid')
}

test('an empty environment configures a development server', () => {
  expect(parse({})).toEqual({
    port: 8000,
    host: '127.0.0.1',
    dataDir: join(process.cwd(), 'data'),
    publicUrl: 'http://localhost:8000',
    audience: 'http://localhost:8000',
    secrets: undefined,
    admin: { username: 'admin', password: undefined },
    accessLifetimeSec: 300,
    refreshLifetimeSec: 14 * 86_400,
    retention: { auditMs: 400 * 86_400_000, revocationsMs: 90 * 86_400_000 },
    sessionLifetimeSec: 30 * 86_400,
    rotationGraceMs: 10_000,
    rotateRefresh: true,
    healing: 'accept',
    argon2: { memoryKib: 19_456, passes: 2, lanes: 1 },
    keys: { alg: 'ES256', rotationMs: 30 * 86_400_000, leadMs: 86_400_000 },
    keepAliveMs: 75_000,
    databaseConnectionsMax: 10,
    throttle: {
      account: { triesMax: 50, periodMs: 3_600_000 },
      source: { triesMax: 10, periodMs: 900_000 },
      address: { triesMax: 100, periodMs: 600_000 },
      device: { triesMax: 10, periodMs: 900_000 },
      login: { triesMax: 60, periodMs: 60_000 },
      recipient: { triesMax: 5, periodMs: 3_600_000 },
      sender: { triesMax: 30, periodMs: 3_600_000 },
    },
    links: {},
    factors: {
      everyone: false,
      roles: [],
      tenants: [],
      graceMs: 7 * 86_400_000,
      mailed: false,
      rememberMs: undefined,
      freshMs: 600_000,
    },
    passkeyRpId: undefined,
    upstreams: { providers: [], signUp: false, redirects: [] },
    site: { name: undefined, colour: undefined, links: {}, logo: undefined },
    http: {
      publicUrl: 'http://localhost:8000',
      cookieDomain: undefined,
      origins: [],
      trustedProxies: undefined,
      forwardedHeader: 'x-forwarded-for',
      corsHeaders: [],
      hstsSubdomains: false,
      signUp: false,
      signUpVerified: false,
      mailLogin: false,
      applicationUrl: '/',
      pages: true,
      usernameField: 'username',
    },
    mail: {
      smtp: undefined,
      from: { name: 'Countersign', address: 'countersign@localhost' },
      templates: undefined,
      locale: 'en',
    },
    logLevel: 'info',
    production: false,
  })
})

test('an empty variable counts as not set', () => {
  expect(parse({ PORT: '', COUNTERSIGN_SECRET: '', COUNTERSIGN_HEALING: '' })).toEqual(parse({}))
})

describe.each<[name: string, good: [text: string, gives: Partial<Settings>][]]>([
  [
    'PORT',
    [
      ['1', { port: 1 }],
      ['65535', { port: 65_535 }],
      ['08080', { port: 8080 }],
    ],
  ],
  [
    'HOST',
    [
      ['0.0.0.0', { host: '0.0.0.0' }],
      ['::1', { host: '::1' }],
    ],
  ],
  [
    'COUNTERSIGN_DATA_DIR',
    [
      ['/srv/data', { dataDir: '/srv/data' }],
      ['x/../y', { dataDir: join(process.cwd(), 'y') }],
    ],
  ],
  [
    'COUNTERSIGN_PUBLIC_URL',
    [
      [
        'https://auth.example',
        { publicUrl: 'https://auth.example', audience: 'https://auth.example' },
      ],
      ['https://auth.example/', { publicUrl: 'https://auth.example' }],
      ['http://localhost:9000', { publicUrl: 'http://localhost:9000' }],
      // One spelling, because issuers are compared byte by byte.
      ['HTTPS://Auth.Example', { publicUrl: 'https://auth.example' }],
      [' https://auth.example ', { publicUrl: 'https://auth.example' }],
      ['https://auth.example:443', { publicUrl: 'https://auth.example' }],
      ['https://auth.example?', { publicUrl: 'https://auth.example' }],
      ['https:auth.example', { publicUrl: 'https://auth.example' }],
    ],
  ],
  ['COUNTERSIGN_AUDIENCE', [['api', { audience: 'api' }]]],
  [
    'COUNTERSIGN_SECRET',
    [
      [STRONG, { secrets: [STRONG] }],
      [`${STRONG}, ${OTHER}`, { secrets: [STRONG, OTHER] }],
      [`${STRONG}\n${OTHER}\n`, { secrets: [STRONG, OTHER] }],
    ],
  ],
  ['COUNTERSIGN_ADMIN_USERNAME', [['root', { admin: { username: 'root', password: undefined } }]]],
  [
    'COUNTERSIGN_ADMIN_PASSWORD',
    [['a long password', { admin: { username: 'admin', password: 'a long password' } }]],
  ],
  [
    'COUNTERSIGN_ACCESS_LIFETIME',
    [
      ['1s', { accessLifetimeSec: 1 }],
      ['24h', { accessLifetimeSec: 86_400 }],
      ['10m', { accessLifetimeSec: 600 }],
    ],
  ],
  [
    'COUNTERSIGN_REFRESH_LIFETIME',
    [
      ['5m', { refreshLifetimeSec: 300 }],
      ['30d', { refreshLifetimeSec: 30 * 86_400 }],
    ],
  ],
  [
    'COUNTERSIGN_SESSION_LIFETIME',
    [
      ['14d', { sessionLifetimeSec: 14 * 86_400 }],
      ['3650d', { sessionLifetimeSec: 3_650 * 86_400 }],
    ],
  ],
  [
    'COUNTERSIGN_ROTATION_GRACE',
    [
      ['0s', { rotationGraceMs: 0 }],
      ['60s', { rotationGraceMs: 60_000 }],
      ['1m', { rotationGraceMs: 60_000 }],
    ],
  ],
  [
    'COUNTERSIGN_ROTATE_REFRESH',
    [
      ['false', { rotateRefresh: false }],
      ['true', { rotateRefresh: true }],
    ],
  ],
  [
    'COUNTERSIGN_HEALING',
    [
      ['refuse', { healing: 'refuse' }],
      ['accept', { healing: 'accept' }],
    ],
  ],
  [
    'COUNTERSIGN_ARGON2_MEMORY_KIB',
    [['8192', { argon2: { memoryKib: 8_192, passes: 2, lanes: 1 } }]],
  ],
  [
    'COUNTERSIGN_ARGON2_PASSES',
    [['100', { argon2: { memoryKib: 19_456, passes: 100, lanes: 1 } }]],
  ],
  ['COUNTERSIGN_ARGON2_LANES', [['16', { argon2: { memoryKib: 19_456, passes: 2, lanes: 16 } }]]],
  [
    'COUNTERSIGN_LOG_LEVEL',
    [
      ['silent', { logLevel: 'silent' }],
      ['debug', { logLevel: 'debug' }],
    ],
  ],
])('%s', (name, good) => {
  test.each(good)('accepts %j', (text, gives) => {
    // A public https URL requires a secret.
    const more =
      name === 'COUNTERSIGN_PUBLIC_URL'
        ? { COUNTERSIGN_SECRET: 'k'.repeat(20) + '0123456789abcdef' }
        : {}
    expect(parse({ ...more, [name]: text })).toMatchObject(gives)
  })
})

test('a public https URL requires a secret also without NODE_ENV=production', () => {
  expect(mistakesOf({ COUNTERSIGN_PUBLIC_URL: 'https://auth.example' })).toEqual([
    expect.stringMatching(/^COUNTERSIGN_SECRET: must be set for an https public URL/),
  ])
  expect(parse({ COUNTERSIGN_PUBLIC_URL: 'https://localhost:8443' }).secrets).toBeUndefined()
})

test.each<[name: string, mistake: string, bad: string[]]>([
  [
    'PORT',
    'must be a whole number from 1 to 65535',
    ['0', '65536', '-1', '80.5', 'http', '1e3', '8 0', '0x50'],
  ],
  [
    'COUNTERSIGN_PUBLIC_URL',
    'must be an http or https URL without path, query, user or fragment',
    [
      'auth.example',
      '/',
      'ftp://auth.example',
      'https://auth.example/auth',
      'https://auth.example/?a',
      'https://user@auth.example',
      'https://auth.example/#a',
      'https://',
      'javascript:alert(1)',
    ],
  ],
  [
    'COUNTERSIGN_ACCESS_LIFETIME',
    'must be a time such as 90s, 5m, 12h or 14d, from 1s to 24h',
    ['0s', '25h', '86401s', '5', '5 m', '5M', '-5m', '1.5h', 'm', '99999999999d'],
  ],
  [
    'COUNTERSIGN_REFRESH_LIFETIME',
    'must be a time such as 90s, 5m, 12h or 14d, from 2s to 365d',
    ['1s', '366d', '14days'],
  ],
  [
    'COUNTERSIGN_SESSION_LIFETIME',
    'must be a time such as 90s, 5m, 12h or 14d, from 2s to 3650d',
    ['1s', '3651d', 'forever'],
  ],
  [
    'COUNTERSIGN_ROTATION_GRACE',
    'must be a time such as 90s, 5m, 12h or 14d, from 0s to 60s',
    ['61s', '2m', '10', '0'],
  ],
  ['COUNTERSIGN_ROTATE_REFRESH', 'must be true or false', ['yes', '1', 'TRUE', '0']],
  ['COUNTERSIGN_HEALING', 'must be one of accept, refuse', ['on', 'Accept']],
  [
    'COUNTERSIGN_ARGON2_MEMORY_KIB',
    'must be a whole number from 8192 to 4194304',
    ['8191', '4194305', '19MiB'],
  ],
  ['COUNTERSIGN_ARGON2_PASSES', 'must be a whole number from 1 to 100', ['0', '101']],
  ['COUNTERSIGN_ARGON2_LANES', 'must be a whole number from 1 to 16', ['0', '17']],
  ['COUNTERSIGN_LOG_LEVEL', 'must be one of debug, info, warn, error, silent', ['loud', 'INFO']],
  [
    'COUNTERSIGN_SECRET',
    'each secret needs at least 32 random characters. Generate one: openssl rand -base64 32',
    ['short', 'a'.repeat(64), 'abc'.repeat(20), `${STRONG},short`, ',', STRONG.slice(0, 31)],
  ],
  [
    'COUNTERSIGN_AUDIT_RETENTION',
    'must be off, or a time such as 90s, 5m, 12h or 14d, from 1d to 36500d',
    ['0', '23h', '36501d', 'never'],
  ],
  [
    'COUNTERSIGN_REVOCATION_RETENTION',
    'must be off, or a time such as 90s, 5m, 12h or 14d, from 1d to 36500d',
    ['0', '23h', 'for ever'],
  ],
  [
    'COUNTERSIGN_SESSIONS_PER_ACCOUNT_MAX',
    'must be off, or a whole number from 1 to 100000',
    ['0', '-1', '1.5', '100001', 'none', 'OFF'],
  ],
  [
    'COUNTERSIGN_ADMIN_PASWORD',
    'is not a setting. Did you mean COUNTERSIGN_ADMIN_PASSWORD?',
    ['hunter2 hunter2', ''],
  ],
])('%s %s', (name, mistake, bad) => {
  for (const value of bad) {
    const [found, ...others] = mistakesOf({ [name]: value })
    expect(found?.replace(/\. Its value is .*$/, '')).toBe(`${name}: ${mistake}`)
    expect(others).toEqual([])
  }
})

describe('variables of other programs', () => {
  test.each<Environment>([
    // Service links of Kubernetes, for a service with the name countersign or countersign-secret.
    {
      COUNTERSIGN_SERVICE_HOST: '10.0.171.239',
      COUNTERSIGN_SERVICE_PORT: '8000',
      COUNTERSIGN_SERVICE_PORT_HTTP: '8000',
      COUNTERSIGN_PORT: 'tcp://10.0.171.239:8000',
      COUNTERSIGN_PORT_8000_TCP: 'tcp://10.0.171.239:8000',
      COUNTERSIGN_PORT_8000_TCP_PROTO: 'tcp',
      COUNTERSIGN_PORT_8000_TCP_PORT: '8000',
      COUNTERSIGN_PORT_8000_TCP_ADDR: '10.0.171.239',
      COUNTERSIGN_SECRET_PORT: 'udp://10.0.171.240:1',
      COUNTERSIGN_SECRET_SERVICE_HOST: '10.0.171.240',
    },
    // Links of Docker, and variables of a deployment.
    { COUNTERSIGN_NAME: '/web/countersign', COUNTERSIGN_ENV_NODE_VERSION: '24.1.0' },
    { COUNTERSIGN_IMAGE: 'x', COUNTERSIGN_VERSION: '1', COUNTERSIGN_URL: 'x', COUNTERSIGN_: 'x' },
    { POST: '1', HOSTS: 'x', REDIS_URI: 'x', port: 'x', SECRET: 'x', COUNTER_SECRET: 'x' },
  ])('%o are ignored', (environment) => {
    expect(parse(environment)).toEqual(parse({}))
  })

  test.each([
    ['COUNTERSIGN_PORT', '9000', 'PORT'],
    ['COUNTERSIGN_HOST', '0.0.0.0', 'HOST'],
    ['COUNTERSIGN_REDIS_URL', 'redis://x', 'REDIS_URL'],
    ['COUNTERSIGN_SECERT', 'x', 'COUNTERSIGN_SECRET'],
    ['COUNTERSIGN_TRUSTED_PROXY', 'x', 'COUNTERSIGN_TRUSTED_PROXIES'],
    ['COUNTERSIGN_ADMIN_PASS', 'x', 'COUNTERSIGN_ADMIN_PASSWORD'],
    ['COUNTERSIGN_ADMIN_PASSWORDFILE', 'x', 'COUNTERSIGN_ADMIN_PASSWORD_FILE'],
    ['countersign_secret_file', 'x', 'COUNTERSIGN_SECRET_FILE'],
    ['CONTERSIGN_DATA_DIR', 'x', 'COUNTERSIGN_DATA_DIR'],
    ['COUNTERSIGNE_AUDIENCE', 'x', 'COUNTERSIGN_AUDIENCE'],
  ])('%s=%s is reported as a misspelled %s', (name, value, meant) => {
    expect(mistakesOf({ [name]: value })).toEqual([
      `${name}: is not a setting. Did you mean ${meant}?`,
    ])
  })
})

describe('files that other programs wrote', () => {
  test('the line endings of Windows do not change a value', () => {
    const environment = {
      PORT: '9000\r',
      COUNTERSIGN_HEALING: ' refuse\r',
      COUNTERSIGN_AUDIENCE: '\r',
    }
    expect(parse(environment)).toMatchObject({
      port: 9000,
      healing: 'refuse',
      audience: 'http://localhost:9000',
    })
  })

  test('a byte order mark in front of the first name is reported', () => {
    for (const name of ['PORT', 'COUNTERSIGN_SECRET', 'NODE_ENV']) {
      expect(mistakesOf({ [`\uFEFF${name}`]: 'x' })).toEqual([
        `${name}: its file begins with a byte order mark. Save the file as UTF-8 without it`,
      ])
    }
    expect(parse({ '\uFEFFPATH': '/bin' })).toEqual(parse({}))
  })

  test('a comment after a value, as systemd keeps it, is reported', () => {
    for (const [name, value] of [
      ['COUNTERSIGN_PUBLIC_URL', 'https://auth.example.com     # also the issuer in tokens'],
      ['COUNTERSIGN_DATA_DIR', '/var/lib/countersign\t# a local disk'],
      ['COUNTERSIGN_SECRET', `${STRONG} # a new one`],
      ['PORT', '8000 #'],
    ] as const) {
      expect(mistakesOf({ [name]: value })).toEqual([
        `${name}: must not contain a comment (" #"). systemd and Docker keep a comment that follows a value: put comments on lines of their own.`,
      ])
    }
    const password = {
      COUNTERSIGN_ADMIN_PASSWORD: 'a long # password',
      COUNTERSIGN_AUDIENCE: 'a#b',
    }
    expect(parse(password).admin.password).toBe('a long # password')
  })

  test.each([
    ['production', true],
    [' production\r', true],
    ['development', false],
    ['', false],
    ['test', false],
    ['nonproduction', false],
  ])('NODE_ENV=%j is production: %s', (value, expected) => {
    expect(isProduction({ NODE_ENV: value })).toBe(expected)
  })

  test.each(['production # live', '"production"', "'production'", 'Production', 'production;'])(
    'NODE_ENV=%j does not start a development server',
    (value) => {
      expect(() => isProduction({ NODE_ENV: value })).toThrow(SetupError)
    },
  )
})

test('a message shows the value that was read, unless it can be a secret', () => {
  expect(mistakesOf({ PORT: '80 80' })).toEqual([
    'PORT: must be a whole number from 1 to 65535. Its value is "80 80"',
  ])
  for (const value of [STRONG, 'https://user:password@auth.example', 'x'.repeat(81)]) {
    for (const name of ['PORT', 'COUNTERSIGN_PUBLIC_URL', 'COUNTERSIGN_THROTTLE']) {
      expect(mistakesOf({ [name]: value }).join()).not.toContain('Its value')
    }
  }
  for (const name of [
    'COUNTERSIGN_SECRET',
    'COUNTERSIGN_SHARED_SECRET',
    'REDIS_URL',
    'COUNTERSIGN_SMTP_URL',
  ]) {
    expect(mistakesOf({ [name]: 'short' }).join()).not.toContain('short')
  }
})

test('all mistakes are reported at once, without secrets', () => {
  const environment = {
    PORT: 'value-of-port',
    COUNTERSIGN_PUBLIC_URL: 'value-of-url',
    COUNTERSIGN_SECRET: 'value-of-secret',
    COUNTERSIGN_ADMIN_PASSWORD: 'value-of-password',
    COUNTERSIGN_ADMIN_PASSWORD_FILE: '/value-of-file',
    COUNTERSIGN_ACCESS_LIFETIME: '2h',
    COUNTERSIGN_REFRESH_LIFETIME: '1h',
    COUNTERSIGN_HEALING: 'value-of-healing',
    COUNTERSIGN_ORIGNS: 'value-of-typo',
    UNRELATED: 'value-of-another-program',
  }
  const mistakes = mistakesOf(environment)
  expect(new Set(mistakes.map((each) => each.split(':')[0]))).toEqual(
    new Set([
      'COUNTERSIGN_ACCESS_LIFETIME',
      'COUNTERSIGN_ADMIN_PASSWORD',
      'COUNTERSIGN_HEALING',
      'COUNTERSIGN_ORIGNS',
      'COUNTERSIGN_PUBLIC_URL',
      'COUNTERSIGN_SECRET',
      'PORT',
    ]),
  )
  expect(mistakes.join('\n')).not.toMatch(/value-of-(?:secret|password|file|typo|another)/)
})

test.each([
  [
    'the access token',
    { COUNTERSIGN_ACCESS_LIFETIME: '2h', COUNTERSIGN_REFRESH_LIFETIME: '1h' },
    'COUNTERSIGN_ACCESS_LIFETIME: must not be longer than COUNTERSIGN_REFRESH_LIFETIME',
  ],
  [
    'the refresh token',
    { COUNTERSIGN_REFRESH_LIFETIME: '31d' },
    'COUNTERSIGN_REFRESH_LIFETIME: must not be longer than COUNTERSIGN_SESSION_LIFETIME',
  ],
  [
    'a pending key',
    { COUNTERSIGN_KEY_ROTATION: '1h' },
    'COUNTERSIGN_KEY_ROTATION: must not be shorter than COUNTERSIGN_KEY_LEAD',
  ],
])('%s must not last longer than the setting that limits it', (_, environment, mistake) => {
  expect(mistakesOf(environment)).toEqual([mistake])
})

describe('retention', () => {
  const DAY_MS = 86_400_000
  const retentionOf = (environment: Environment): Settings['retention'] =>
    parse(environment).retention

  test('is off, or a time', () => {
    const off = { COUNTERSIGN_AUDIT_RETENTION: 'off', COUNTERSIGN_REVOCATION_RETENTION: 'off' }
    expect(retentionOf(off)).toEqual({ auditMs: undefined, revocationsMs: undefined })
    const days = { COUNTERSIGN_AUDIT_RETENTION: '1d', COUNTERSIGN_REVOCATION_RETENTION: '31d' }
    expect(retentionOf(days)).toEqual({ auditMs: DAY_MS, revocationsMs: 31 * DAY_MS })
  })

  test('of revocations is a day longer than a session lives', () => {
    expect(mistakesOf({ COUNTERSIGN_REVOCATION_RETENTION: '30d' })).toEqual([
      'COUNTERSIGN_REVOCATION_RETENTION: must be at least one day longer than COUNTERSIGN_SESSION_LIFETIME',
    ])
    expect(retentionOf({ COUNTERSIGN_SESSION_LIFETIME: '365d' }).revocationsMs).toBe(366 * DAY_MS)
    expect(retentionOf({ COUNTERSIGN_SESSION_LIFETIME: '89d' }).revocationsMs).toBe(90 * DAY_MS)
  })

  test('a limit of sessions is a number, or off', () => {
    const max = (value: string): unknown =>
      parse({ COUNTERSIGN_SESSIONS_PER_ACCOUNT_MAX: value }).sessionsPerAccountMax
    expect([max('1'), max('100000'), max('off'), max('')]).toEqual([
      1,
      100_000,
      undefined,
      undefined,
    ])
    expect(parseSettings({ sessionsPerAccountMax: 5 }, { production: false })).toMatchObject({
      sessionsPerAccountMax: 5,
    })
  })
})

describe('secrets in files', () => {
  test('hold one secret a line', () => {
    const path = file('secret', `${STRONG}\n${OTHER}\n`)
    expect(parse({ COUNTERSIGN_SECRET_FILE: path }).secrets).toEqual([STRONG, OTHER])
  })

  test('must be as strong as others', () => {
    const path = file('weak', 'password\n')
    expect(mistakesOf({ COUNTERSIGN_SECRET_FILE: path })[0]).toMatch(
      /^COUNTERSIGN_SECRET_FILE: each secret needs/,
    )
    expect(mistakesOf({ COUNTERSIGN_SECRET_FILE: file('empty', '\n') })).toHaveLength(1)
  })

  test('exclude the setting with the secret itself', () => {
    const path = file('both', STRONG)
    expect(mistakesOf({ COUNTERSIGN_SECRET: STRONG, COUNTERSIGN_SECRET_FILE: path })).toEqual([
      'COUNTERSIGN_SECRET: set this or COUNTERSIGN_SECRET_FILE, not both',
    ])
  })

  test.each(['COUNTERSIGN_SECRET_FILE', 'COUNTERSIGN_ADMIN_PASSWORD_FILE'])(
    '%s with the secret itself in place of a path does not repeat it',
    (name) => {
      expect(mistakesOf({ [name]: STRONG })).toEqual([
        `${name}: the file cannot be read: no such file or directory`,
      ])
      expect(mistakesOf({ [name]: `${STRONG}\0` })).toEqual([
        `${name}: the file cannot be read: it is not the path of a file`,
      ])
      expect(mistakesOf({ [name]: directory })).toEqual([
        `${name}: the file cannot be read: illegal operation on a directory`,
      ])
    },
  )

  test('the last line break of a password file is not part of the password', () => {
    for (const end of ['', '\n', '\r\n', '\n\n', '\r']) {
      for (const start of ['', '\uFEFF']) {
        const path = file('password', `${start}a long password${end}`)
        expect(parse({ COUNTERSIGN_ADMIN_PASSWORD_FILE: path }).admin.password).toBe(
          'a long password',
        )
      }
    }
    const two = file('password', 'a long password\r\nanother one\n')
    expect(mistakesOf({ COUNTERSIGN_ADMIN_PASSWORD_FILE: two })).toEqual([
      'COUNTERSIGN_ADMIN_PASSWORD_FILE: the file must contain one line',
    ])
  })

  test('may have a byte order mark and the line endings of Windows', () => {
    const path = file('windows', `\uFEFF${STRONG}\r\n${OTHER}\r\n`)
    expect(parse({ COUNTERSIGN_SECRET_FILE: path }).secrets).toEqual([STRONG, OTHER])
  })

  test('in UTF-16, as PowerShell writes it, are rejected', () => {
    const path = join(directory, 'utf16')
    writeFileSync(path, `\uFEFF${STRONG}\r\n`, 'utf16le')
    for (const name of ['COUNTERSIGN_SECRET_FILE', 'COUNTERSIGN_ADMIN_PASSWORD_FILE']) {
      expect(mistakesOf({ [name]: path })).toEqual([
        `${name}: the file cannot be read: it is not UTF-8 text`,
      ])
    }
  })
})

test.each(['SIGN_UP_VERIFIED', 'MAIL_LOGIN'])(
  'COUNTERSIGN_%s needs mail in production, and sends it into memory in development',
  (name) => {
    const flow = { [`COUNTERSIGN_${name}`]: 'true' }
    const live = {
      ...flow,
      COUNTERSIGN_SECRET: STRONG,
      COUNTERSIGN_PUBLIC_URL: 'https://a.example',
    }
    expect(mistakesOf(live, true)).toEqual([`COUNTERSIGN_${name}: needs COUNTERSIGN_SMTP_URL`])
    expect(parse(flow).mail).toMatchObject({ smtp: undefined })
    const smtp = {
      COUNTERSIGN_SMTP_URL: 'smtps://mail.example',
      COUNTERSIGN_MAIL_FROM: 'a@example.com',
    }
    expect(parse({ ...live, ...smtp }, true).mail).toMatchObject({ smtp: { host: 'mail.example' } })
  },
)

describe('links in mails', () => {
  const read = (links: string): Settings['links'] => parse({ COUNTERSIGN_LINKS: links }).links

  test('open pages of the application, by their purpose', () => {
    expect(
      read(' reset=https://app.example/reset?x=1 ,invite=http://localhost:3000/join,'),
    ).toEqual({
      reset: 'https://app.example/reset?x=1',
      invite: 'http://localhost:3000/join',
    })
  })

  test.each([
    'reset',
    'reset=/reset',
    'forgot=https://app.example',
    'reset=http://app.example/reset',
    'reset=javascript:alert(1)',
    'reset=https://user:pass@app.example/',
    'reset=https://app.example/#reset',
  ])('%s is rejected', (links) => {
    expect(mistakesOf({ COUNTERSIGN_LINKS: links })).toHaveLength(1)
  })
})

describe('with NODE_ENV=production', () => {
  const fine = { COUNTERSIGN_SECRET: STRONG, COUNTERSIGN_PUBLIC_URL: 'https://auth.example' }

  test('a secret and an https URL are enough', () => {
    expect(parse(fine, true)).toMatchObject({ production: true, secrets: [STRONG] })
    expect(parse({ ...fine, COUNTERSIGN_PUBLIC_URL: 'HTTPS://auth.example' }, true)).toBeDefined()
    const path = file('production', STRONG)
    const { COUNTERSIGN_PUBLIC_URL } = fine
    expect(parse({ COUNTERSIGN_PUBLIC_URL, COUNTERSIGN_SECRET_FILE: path }, true)).toBeDefined()
  })

  test('without them the settings are rejected', () => {
    expect(mistakesOf({}, true)).toEqual([
      'COUNTERSIGN_SECRET: must be set with NODE_ENV=production (or COUNTERSIGN_SECRET_FILE). Generate one: openssl rand -base64 32',
      'COUNTERSIGN_PUBLIC_URL: must begin with https:// with NODE_ENV=production',
    ])
    expect(mistakesOf({ ...fine, COUNTERSIGN_PUBLIC_URL: 'http://localhost:8000' }, true)).toEqual([
      'COUNTERSIGN_PUBLIC_URL: must begin with https:// with NODE_ENV=production',
    ])
  })

  test.each([false, true])(
    'a public URL of plain http needs a host without a public name (production: %j)',
    (production) => {
      const given = { ...fine, COUNTERSIGN_PUBLIC_URL: 'http://auth.example' }
      const allowed = { COUNTERSIGN_ALLOW_PRIVATE_HTTP: 'true' }
      const rejected = [
        'COUNTERSIGN_PUBLIC_URL: must begin with https://, except for http://localhost',
      ]
      expect(mistakesOf(given, production)).toEqual(rejected)
      expect(mistakesOf({ ...given, ...allowed }, production)).toEqual(rejected)
      const inside = { ...fine, COUNTERSIGN_PUBLIC_URL: 'http://countersign:8000' }
      expect(mistakesOf(inside, production)).toEqual([
        'COUNTERSIGN_PUBLIC_URL: is plain http to another machine. Use https://, or set COUNTERSIGN_ALLOW_PRIVATE_HTTP=true if the network is private',
      ])
      expect(parse({ ...inside, ...allowed }, production)).toMatchObject({
        publicUrl: 'http://countersign:8000',
      })
    },
  )

  test('each setting is reported once', () => {
    expect(mistakesOf({ ...fine, COUNTERSIGN_PUBLIC_URL: 'auth.example' }, true)).toHaveLength(1)
    expect(mistakesOf({ ...fine, COUNTERSIGN_SECRET: 'weak' }, true)).toHaveLength(1)
    const { COUNTERSIGN_PUBLIC_URL } = fine
    const missing = { COUNTERSIGN_PUBLIC_URL, COUNTERSIGN_SECRET_FILE: '/nowhere' }
    expect(mistakesOf(missing, true)).toHaveLength(1)
  })
})

describe('given by a program', () => {
  const parseInput = (input: object): Settings => parseSettings(input, { production: false })

  test('a message names the options, not the variables of the environment', async () => {
    const input = { dataDir: directory, accessLifetime: '2h', refreshLifetime: '1h', port: 0 }
    await expect(createAuthority(input)).rejects.toThrow(
      'Some settings are not valid:\n  port: must be a whole number from 1 to 65535\n  accessLifetime: must not be longer than refreshLifetime',
    )
  })

  test('numbers and booleans are accepted', () => {
    expect(parseInput({ port: 9000, rotateRefresh: false })).toMatchObject({
      port: 9000,
      rotateRefresh: false,
    })
  })

  test.each([
    [{ port: 8000.5 }, 'PORT: must be a whole number from 1 to 65535'],
    [{ port: Number.NaN }, 'PORT: must be a whole number from 1 to 65535'],
    [{ port: true }, 'PORT: must be a whole number from 1 to 65535'],
    [{ host: '' }, 'HOST: must not be empty'],
    [{ dataDir: 5 }, 'COUNTERSIGN_DATA_DIR: must be text'],
    [{ secret: [STRONG] }, 'COUNTERSIGN_SECRET: must be text'],
    [
      { accessLifetime: 300 },
      'COUNTERSIGN_ACCESS_LIFETIME: must be a time such as 90s, 5m, 12h or 14d, from 1s to 24h',
    ],
    [{ prot: 8000 }, 'prot: is not a setting. Did you mean port?'],
    [{ accessLifeTime: '5m' }, 'accessLifeTime: is not a setting. Did you mean accessLifetime?'],
    [{ frob: 1 }, 'frob: is not a setting. See: countersign start --help'],
    [{ toString: 'x' }, 'toString: is not a setting. See: countersign start --help'],
    [{ PORT: 8000 }, 'PORT: is not a setting. Did you mean port?'],
  ])('%j is a mistake', (input, mistake) => {
    expect(() => parseInput(input)).toThrow(`Some settings are not valid:\n  ${mistake}`)
  })
})

describe('a config file', () => {
  const version = (cwd: string, env: Environment = {}): ReturnType<typeof runCommand> =>
    runCommand(['accounts', 'list'], { dataDir: join(cwd, 'data'), cwd, env })

  function project(config: string, name = 'countersign.config.ts'): string {
    const cwd = mkdtempSync(join(directory, 'project-'))
    writeFileSync(join(cwd, name), config)
    return cwd
  }

  test.each(['countersign.config.ts', 'countersign.config.mjs', 'countersign.config.js'])(
    '%s in the current directory is read, and the environment wins',
    async (name) => {
      const cwd = project(`export default { dataDir: './of-the-file', port: 9000 }`, name)
      const fromFile = await version(cwd, { COUNTERSIGN_DATA_DIR: '' })
      expect(fromFile).toMatchObject({ code: 1, stdout: '' })
      expect(fromFile.stderr).toContain(`There is no database at ${cwd}/of-the-file/`)
      const fromEnvironment = await version(cwd)
      expect(fromEnvironment.stderr).toContain(`There is no database at ${cwd}/data/`)
    },
  )

  test.each([
    ['an ES module', 'export default { port: 0 as number }\n'],
    [
      'an ES module that imports, with the line endings of Windows',
      "\uFEFFimport { constants } from 'node:os'\r\nexport default { port: constants.UV_UDP_REUSEADDR - 4 }\r\n",
    ],
    ['CommonJS', 'module.exports = { port: 0 as number }'],
    [
      'CommonJS from a compiler',
      "Object.defineProperty(exports, '__esModule', { value: true })\nexports.default = { port: 0 }",
    ],
  ])('in a CommonJS package may be %s', async (_, config) => {
    for (const type of ['{ "type": "commonjs" }', '{}']) {
      const cwd = project(config)
      writeFileSync(join(cwd, 'package.json'), type)
      expect(await version(cwd)).toMatchObject({
        code: 1,
        stderr: 'Some settings are not valid:\n  port: must be a whole number from 1 to 65535\n',
      })
    }
  })

  test('may contain types', async () => {
    const cwd = project(`const port: number = 0\nexport default { port } satisfies object`)
    expect(await version(cwd)).toMatchObject({
      code: 1,
      stderr: 'Some settings are not valid:\n  port: must be a whole number from 1 to 65535\n',
    })
  })

  test.each([
    [
      'an unknown setting',
      `export default { ports: 1 }`,
      /^Some settings .*\n {2}ports: is not a setting\. Did you mean port\?\n$/,
    ],
    [
      'no default export',
      `export const port = 1`,
      /countersign\.config\.ts must export its settings as the default export: .*\n$/,
    ],
    [
      'an export that is not an object',
      `export default 'x'`,
      /countersign\.config\.ts must export its settings/,
    ],
    ['a syntax error', `export default {`, /countersign\.config\.ts cannot be loaded: .*\n$/],
    ['an error of its own', `throw new Error('on purpose')`, /cannot be loaded: on purpose\n$/],
  ])('with %s is reported in one clear line', async (_, config, message) => {
    const result = await version(project(config))
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toContain('    at ')
  })
})

describe('browsers and proxies', () => {
  test('origins are a list, each as a browser writes it', () => {
    const origins = 'https://app.example.com, http://localhost:3000,capacitor://localhost'
    expect(parse({ COUNTERSIGN_ORIGINS: origins }).http.origins).toEqual([
      'https://app.example.com',
      'http://localhost:3000',
      'capacitor://localhost',
    ])
  })

  test.each([
    '*',
    'app.example.com',
    'https://app.example.com/',
    'https://App.example.com',
    'null',
    'capacitor://',
    'capacitor://localhost/',
    'Capacitor://localhost',
    'app+x://*',
    'wss://app.example.com',
    'file://',
    'javascript://localhost',
  ])('the origin %s is rejected', (COUNTERSIGN_ORIGINS) => {
    expect(mistakesOf({ COUNTERSIGN_ORIGINS })).toEqual([
      expect.stringContaining('COUNTERSIGN_ORIGINS: must be origins such as'),
    ])
  })

  test('headers of pages are a list of names', () => {
    const headers = { COUNTERSIGN_CORS_HEADERS: 'X-Client-Version, x-team' }
    expect(parse(headers).http.corsHeaders).toEqual(['X-Client-Version', 'x-team'])
    for (const name of ['*', 'X Y', 'x:y', 'x\ny', 'ü']) {
      expect(mistakesOf({ COUNTERSIGN_CORS_HEADERS: name })).toHaveLength(1)
    }
  })

  test('the field of the username has a name', () => {
    expect(parse({ COUNTERSIGN_USERNAME_FIELD: 'email' }).http.usernameField).toBe('email')
    for (const name of ['password', 'e-mail', '1', 'é', '__proto__', 'x'.repeat(65)]) {
      expect(mistakesOf({ COUNTERSIGN_USERNAME_FIELD: name })).toHaveLength(1)
    }
  })

  test('proxies are addresses and networks', () => {
    const { trustedProxies } = parse({ COUNTERSIGN_TRUSTED_PROXIES: '10.0.0.0/8, ::1' }).http
    expect(trustedProxies?.check('10.1.2.3')).toBe(true)
    expect(trustedProxies?.check('::1', 'ipv6')).toBe(true)
    expect(trustedProxies?.check('11.0.0.1')).toBe(false)
  })

  test.each(['10.0.0.0/33', 'proxy', '10.0.0/8', '::/129', '10.0.0.0/8/8', '10.0.0.0/-1'])(
    'the network %s is rejected',
    (COUNTERSIGN_TRUSTED_PROXIES) => {
      expect(mistakesOf({ COUNTERSIGN_TRUSTED_PROXIES })).toHaveLength(1)
    },
  )

  test.each(['example.com', 'auth.example.com'])('cookies may be shared by %s', (domain) => {
    const environment = {
      COUNTERSIGN_PUBLIC_URL: 'https://auth.example.com',
      COUNTERSIGN_SECRET: GOOD_SECRET,
    }
    const { http } = parse({ ...environment, COUNTERSIGN_COOKIE_DOMAIN: domain })
    expect(http.cookieDomain).toBe(domain)
  })

  test.each(['.example.com', 'other.example', 'ample.com', 'com', 'Example.com'])(
    'cookies cannot be shared by %s',
    (domain) => {
      const environment = {
        COUNTERSIGN_PUBLIC_URL: 'https://auth.example.com',
        COUNTERSIGN_SECRET: GOOD_SECRET,
        COUNTERSIGN_COOKIE_DOMAIN: domain,
      }
      expect(mistakesOf(environment)).toEqual([
        expect.stringContaining('COUNTERSIGN_COOKIE_DOMAIN: must be'),
      ])
    },
  )
})

describe('COUNTERSIGN_THROTTLE', () => {
  test('off disables it, and a named rate replaces its default', () => {
    expect(parse({ COUNTERSIGN_THROTTLE: 'off' }).throttle).toBeUndefined()
    expect(parse({ COUNTERSIGN_THROTTLE: 'account=5/1m, device=3/10s' }).throttle).toEqual({
      ...parse({}).throttle,
      account: { triesMax: 5, periodMs: 60_000 },
      device: { triesMax: 3, periodMs: 10_000 },
      login: { triesMax: 60, periodMs: 60_000 },
    })
  })

  test.each([
    'on',
    'account=5',
    'account=0/1m',
    'account=5/1y',
    'user=5/1m',
    'account=5/2d',
    'account=-1/1m',
  ])('%s is rejected', (COUNTERSIGN_THROTTLE) => {
    expect(mistakesOf({ COUNTERSIGN_THROTTLE })).toEqual([
      expect.stringContaining('COUNTERSIGN_THROTTLE: must be off, or rates such as'),
    ])
  })
})

test('a wrong Redis URL is a mistake, and its value is not printed', () => {
  for (const redisUrl of [
    '127.0.0.1:6379',
    'http://:a-secret@host',
    'redis://',
    'rediss:///0',
    '',
  ]) {
    const read = (): unknown => parseSettings({ redisUrl }, { production: false })
    expect(read).toThrow('REDIS_URL: must be a URL such as')
    expect(read).not.toThrow('a-secret')
  }
  for (const redisUrl of ['redis://localhost', 'rediss://user:a-secret@host:6380/3']) {
    expect(parseSettings({ redisUrl }, { production: false }).redisUrl).toBe(redisUrl)
  }
})

test('a shared secret must be strong, given once, and differ from the secret', () => {
  const secret = 'u7Qp0sVb3mX9Lk2TzR5eWn8YcA1dGf4H'
  const read = (input: SettingsInput): readonly string[] | undefined =>
    parseSettings(input, { production: false }).sharedSecrets
  expect(read({})).toBeUndefined()
  expect(read({ sharedSecret: `${secret}, ${secret}2` })).toEqual([secret, `${secret}2`])
  expect(() => read({ sharedSecret: 'short' })).toThrow('COUNTERSIGN_SHARED_SECRET: each secret')
  expect(() => read({ sharedSecret: secret, sharedSecretFile: '/x' })).toThrow('not both')
  expect(() => read({ sharedSecret: secret, secret })).toThrow(
    'COUNTERSIGN_SHARED_SECRET: must differ from COUNTERSIGN_SECRET',
  )
})

test('a wrong SMTP URL is a mistake, and its value is not printed', () => {
  for (const smtpUrl of [
    'mail.example.com:587',
    'http://:a-secret@host',
    'smtp://',
    'smtp://u:a-secret@host/path',
    'smtp://u:a-secret@host?tls=never',
    'smtps://u:a-secret@host?tls=optional',
    'smtp://u:a-secret@host?ignoreTLS=true',
    'smtp://u:%E0%A4%A@host',
    '',
  ]) {
    const read = (): unknown =>
      parseSettings({ smtpUrl, mailFrom: 'a@example.com' }, { production: false })
    expect(read).toThrow('COUNTERSIGN_SMTP_URL: must be a URL such as')
    expect(read).not.toThrow('a-secret')
  }
})

test.each([
  ['smtp://mail.example.com', { host: 'mail.example.com', port: 587, tls: 'required' }],
  ['smtps://mail.example.com', { host: 'mail.example.com', port: 465, tls: 'implicit' }],
  ['smtp://mail:1025?tls=optional', { host: 'mail', port: 1025, tls: 'optional' }],
  ['smtp://localhost:25', { host: 'localhost', port: 25, tls: 'optional' }],
  ['smtp://[::1]:25?tls=required', { host: '::1', port: 25, tls: 'required' }],
  [
    'smtp://user%40example.com:p%3Aw@mail.example.com',
    {
      host: 'mail.example.com',
      port: 587,
      tls: 'required',
      auth: { user: 'user@example.com', pass: 'p:w' },
    },
  ],
])('the SMTP URL %s', (smtpUrl, expected) => {
  const { mail } = parseSettings({ smtpUrl, mailFrom: 'a@example.com' }, { production: false })
  expect(mail?.smtp).toEqual({ auth: undefined, ...expected })
})

test('a sender is an address with or without a name, and belongs to an SMTP server', () => {
  const smtpUrl = 'smtp://mail.example.com'
  const read = (mailFrom: string): unknown =>
    parseSettings({ smtpUrl, mailFrom }, { production: false }).mail?.from
  expect(read('no-reply@example.com')).toEqual({ name: '', address: 'no-reply@example.com' })
  expect(read('Example, Ltd <no-reply@example.com>')).toEqual({
    name: 'Example, Ltd',
    address: 'no-reply@example.com',
  })
  for (const wrong of [
    '',
    'Example',
    'a@b, c@d',
    'A <a@example.com',
    'A\r\nBcc: x <a@example.com>',
  ]) {
    expect(() => read(wrong)).toThrow('COUNTERSIGN_MAIL_FROM: must be an address')
  }
  const check = (input: SettingsInput): unknown => parseSettings(input, { production: false })
  expect(() => check({ smtpUrl })).toThrow(
    'COUNTERSIGN_MAIL_FROM: must be set with COUNTERSIGN_SMTP_URL',
  )
  expect(() => check({ mailFrom: 'a@example.com' })).toThrow(
    'COUNTERSIGN_SMTP_URL: must be set with',
  )
})

test('without SMTP only a development server on this machine has mails', () => {
  const secret = 'u7Qp0sVb3mX9Lk2TzR5eWn8YcA1dGf4H'
  const mailOf = (input: SettingsInput, production = false): unknown =>
    parseSettings({ secret, ...input }, { production }).mail
  expect(mailOf({})).toMatchObject({ smtp: undefined, locale: 'en', templates: undefined })
  expect(mailOf({ publicUrl: 'https://auth.example.com' })).toBeUndefined()
  expect(mailOf({ publicUrl: 'https://auth.example.com' }, true)).toBeUndefined()
  const smtp = { smtpUrl: 'smtp://mail.example.com', mailFrom: 'a@example.com' }
  expect(mailOf({ publicUrl: 'https://auth.example.com', ...smtp }, true)).toMatchObject({
    smtp: { host: 'mail.example.com' },
  })
})
