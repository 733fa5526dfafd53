import { spawnSync } from 'node:child_process'

/** Whether scripts may install what tests need from outside `npm ci`. `TESTS_INSTALL=off` forbids it. */
export const mayInstall: boolean = process.env['TESTS_INSTALL'] !== 'off'

/** Says in one line what is going to be installed, and how to forbid it. */
export function announceInstall(what: string): void {
  console.log(`Installing ${what}. To forbid this, set TESTS_INSTALL=off.`)
}

/** How `installDebian` runs apt-get. */
export interface AptOptions {
  readonly aptGet: string
  /** How long it waits for another package manager, in milliseconds. */
  readonly lockMsMax: number
  readonly pauseMs: number
}

/**
 * Installs Debian packages. Waits while another package manager holds a lock: `DPkg::Lock::Timeout` does that for
 * dpkg, but not for the lists of packages. Prints the error of apt-get and returns false if a step fails.
 */
export async function installDebian(
  packages: readonly string[],
  options: AptOptions,
): Promise<boolean> {
  const late = performance.now() + options.lockMsMax
  for (const step of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    for (let isTold = false; ; isTold = true) {
      const { status, error, stderr } = spawnSync(options.aptGet, ['-qq', ...step], {
        stdio: ['ignore', 'ignore', 'pipe'],
        encoding: 'utf8',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      })
      if (status === 0) break
      if (!isLocked(stderr) || performance.now() > late) {
        console.log(`apt-get ${step[0]} failed: ${error?.message ?? stderr.trim()}`)
        return false
      }
      if (!isTold) console.log('Waiting for another package manager to end.')
      await new Promise((resolve) => setTimeout(resolve, options.pauseMs))
    }
  }
  return true
}

function isLocked(stderr: string | null): boolean {
  return /could not get lock|unable to (?:acquire|lock)/i.test(stderr ?? '')
}
