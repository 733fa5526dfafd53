import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** A program from outside npm that some suites run against. */
export interface Requirement {
  readonly name: string
  /** The Debian packages that bring it. */
  readonly debianPackages: readonly string[]
  /** Exits 0 where it is there. The first word is an absolute path: others may come first on PATH. */
  readonly detect: readonly [command: string, ...args: string[]]
  /** Where the suites lie that do not run without it. */
  readonly suites: readonly string[]
}

/** All that `npm test` needs beyond `npm ci`. */
export const requirements = {
  django: {
    name: 'Django with SimpleJWT',
    // The second one because PyJWT knows ES256 only with it, and nothing pulls it in.
    debianPackages: ['python3-djangorestframework-simplejwt', 'python3-cryptography'],
    detect: ['/usr/bin/python3', '-c', 'import django, rest_framework_simplejwt, cryptography'],
    suites: ['tests/django'],
  },
  chromium: {
    name: 'Chromium with openssl',
    debianPackages: ['chromium', 'openssl'],
    detect: ['/bin/sh', '-c', '/usr/bin/chromium --version && openssl version'],
    suites: ['tests/browser'],
  },
  redis: {
    name: 'Redis, and Python with its client',
    debianPackages: ['redis-server', 'python3-redis', 'python3-jwt', 'python3-cryptography'],
    detect: [
      '/bin/sh',
      '-c',
      "/usr/bin/redis-server --version && /usr/bin/python3 -c 'import redis, jwt, cryptography'",
    ],
    suites: ['tests/redis'],
  },
} as const satisfies Record<string, Requirement>

/** Whether it is there now. Takes as long as starting it: about 0.3 s. */
export function isPresent({ detect: [command, ...args] }: Requirement): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/**
 * Installs what is missing where that can be done (as root, with apt-get), and says for the rest which
 * package it takes. False when the tests should not go on: with `CI=true` or `CI=1` nothing may be left
 * out.
 */
export async function setUpTests(): Promise<boolean> {
  let missing: readonly Requirement[] = listMissing(Object.values(requirements))
  if (missing.length > 0 && canInstall()) {
    install(missing)
    missing = listMissing(missing)
  }
  for (const { name, debianPackages, suites } of missing) {
    console.log(
      `Missing: ${name}. On Debian or Ubuntu: apt-get install ${debianPackages.join(' ')}`,
    )
    console.log(`  Without it these suites are reported as NOT RUN: ${suites.join(', ')}`)
  }
  return missing.length === 0 || !['true', '1'].includes(process.env['CI'] ?? '')
}

function listMissing(candidates: readonly Requirement[]): Requirement[] {
  return candidates.filter((candidate) => !isPresent(candidate))
}

const APT_GET = '/usr/bin/apt-get'

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync(APT_GET)
}

function install(missing: readonly Requirement[]): void {
  const packages = new Set(missing.flatMap(({ debianPackages }) => debianPackages))
  const steps = [['update'], ['install', '-y', '--no-install-recommends', ...packages]] as const
  for (const step of steps) {
    console.log(`Running: apt-get ${step.join(' ')}`)
    try {
      execFileSync(APT_GET, ['-qq', ...step], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      })
    } catch {
      // What apt-get said stands above; what is still missing is told by the caller.
      console.log(`apt-get ${step[0]} failed.`)
    }
  }
}

if (import.meta.main && !(await setUpTests())) process.exitCode = 1
