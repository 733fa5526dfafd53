import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { announceInstall, installDebian, mayInstall } from './lib/installs.ts'

/** A program from outside npm that some suites run against. */
export interface Requirement {
  readonly name: string
  /** The Debian packages that install it. */
  readonly debianPackages: readonly string[]
  /**
   * A command that exits with 0 if the program is installed. Its first word is an absolute path, because PATH
   * may contain other versions.
   */
  readonly detect: readonly [command: string, ...args: string[]]
  /** Files that are written before the packages are installed, if they do not exist. */
  readonly files?: Readonly<Record<string, string>>
  /** The folders of the suites that do not run without it. */
  readonly suites: readonly string[]
}

/** Everything that `npm test` needs besides `npm ci`. */
export const requirements = {
  django: {
    name: 'Django with SimpleJWT',
    // PyJWT supports ES256 only with the second package, and does not depend on it.
    debianPackages: ['python3-djangorestframework-simplejwt', 'python3-cryptography'],
    detect: ['/usr/bin/python3', '-c', 'import django, rest_framework_simplejwt, cryptography'],
    suites: ['tests/django'],
  },
  chromium: {
    name: 'Chromium with openssl',
    debianPackages: ['chromium', 'openssl'],
    detect: ['/bin/sh', '-c', '/usr/bin/chromium --version && openssl version'],
    suites: ['tests/browser', 'tests/client'],
  },
  firefox: {
    name: 'Firefox ESR',
    debianPackages: ['firefox-esr'],
    // setpriv is in every Debian, see launchFirefox.
    detect: ['/usr/bin/setpriv', '--pdeathsig', 'KILL', '/usr/bin/firefox-esr', '--version'],
    suites: ['tests/client/slow-firefox.test.ts'],
  },
  redis: {
    name: 'Redis, and Python with its client',
    debianPackages: ['redis-server', 'python3-redis', 'python3-jwt', 'python3-cryptography'],
    detect: [
      '/bin/sh',
      '-c',
      "/usr/bin/redis-server --version && /usr/bin/python3 -c 'import redis, jwt, cryptography'",
    ],
    suites: [
      'tests/redis',
      'tests/support/long-redis.test.ts',
      'tests/deploy/slow-compose.test.ts',
    ],
  },
  postgres: {
    name: 'PostgreSQL',
    debianPackages: ['postgresql'],
    // The folder is named after the version. Debian's package brings no server into PATH.
    detect: [
      '/bin/sh',
      '-c',
      'ls /usr/lib/postgresql/*/bin/postgres && /usr/bin/setpriv --version',
    ],
    // Otherwise Debian creates and starts a server that nobody needs.
    files: { '/etc/postgresql-common/createcluster.conf': 'create_main_cluster = false\n' },
    suites: [
      'packages/server/test/store-contract',
      'packages/server/test/slow-postgres.test.ts',
      'packages/server/test/slow-postgres-http.test.ts',
      'tests/support/slow-postgres.test.ts',
      'tests/support/slow-postgres-replica.test.ts',
    ],
  },
  pgbouncer: {
    name: 'PgBouncer with PostgreSQL',
    debianPackages: ['pgbouncer', 'postgresql'],
    detect: [
      '/bin/sh',
      '-c',
      'ls /usr/lib/postgresql/*/bin/postgres && /usr/sbin/pgbouncer --version',
    ],
    suites: ['tests/support/slow-pgbouncer.test.ts'],
  },
  faketime: {
    name: 'faketime',
    debianPackages: ['faketime'],
    detect: ['/usr/bin/faketime', '+1 hour', '/bin/true'],
    suites: ['tests/faults/slow-clock.test.ts'],
  },
  cluster: {
    name: 'PostgreSQL with nginx',
    debianPackages: ['postgresql', 'nginx-light'],
    detect: [
      '/bin/sh',
      '-c',
      'ls /usr/lib/postgresql/*/bin/postgres && /usr/sbin/nginx -v && /usr/bin/setpriv --version',
    ],
    suites: ['tests/cluster', 'tests/faults'],
  },
  nginx: {
    name: 'nginx with openssl',
    debianPackages: ['nginx-light', 'openssl'],
    // Debian installs it in a folder that is not in everybody's PATH.
    detect: ['/bin/sh', '-c', 'PATH="$PATH:/usr/sbin" nginx -v && openssl version'],
    suites: ['tests/nginx'],
  },
  systemd: {
    name: 'systemd-analyze and strace',
    debianPackages: ['systemd', 'strace'],
    // Some containers do not let strace trace.
    detect: ['/bin/sh', '-c', 'systemd-analyze --version && strace -o /dev/null /bin/true'],
    suites: ['tests/deploy/slow-systemd.test.ts'],
  },
} as const satisfies Record<string, Requirement>

/** Whether the program is installed. Starts it, which takes about 0.3 s. */
export function isPresent({ detect: [command, ...args] }: Requirement): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/**
 * Installs missing programs with apt-get if it runs as root and `TESTS_INSTALL` is not `off`. Prints the packages to install for programs that
 * are still missing. Returns false if tests must not run without them: with `CI=true` or `CI=1`.
 */
export async function setUpTests(): Promise<boolean> {
  let missing: readonly Requirement[] = listMissing(Object.values(requirements))
  if (missing.length > 0 && canInstall()) {
    await install(missing)
    missing = listMissing(missing)
  }
  for (const { name, debianPackages, suites } of missing) {
    console.log(
      `Missing: ${name}. On Debian or Ubuntu: apt-get install ${debianPackages.join(' ')}`,
    )
    console.log(`  Without it, these suites are reported as NOT RUN: ${suites.join(', ')}`)
  }
  return missing.length === 0 || !['true', '1'].includes(process.env['CI'] ?? '')
}

function listMissing(candidates: readonly Requirement[]): Requirement[] {
  return candidates.filter((candidate) => !isPresent(candidate))
}

const APT_GET = '/usr/bin/apt-get'

function canInstall(): boolean {
  return mayInstall && process.getuid?.() === 0 && existsSync(APT_GET)
}

async function install(missing: readonly Requirement[]): Promise<void> {
  const packages = [...new Set(missing.flatMap(({ debianPackages }) => debianPackages))]
  announceInstall(`the Debian packages ${packages.join(', ')} for ${suitesOf(missing)}`)
  for (const [path, text] of missing.flatMap(({ files = {} }) => Object.entries(files))) {
    mkdirSync(dirname(path), { recursive: true })
    if (!existsSync(path)) writeFileSync(path, text)
  }
  await installDebian(packages, { aptGet: APT_GET, lockMsMax: 300_000, pauseMs: 2_000 })
}

function suitesOf(missing: readonly Requirement[]): string {
  return missing.flatMap(({ suites }) => suites).join(', ')
}

if (import.meta.main && !(await setUpTests())) process.exitCode = 1
