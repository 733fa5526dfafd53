import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { announceInstall, mayInstall } from './installs.ts'

const root = resolve(import.meta.dirname, '../..')
const name = `node-linux-${process.arch}`

function folderOf(version: string): string {
  return join(root, 'build/nodes', version)
}

function programOf(version: string): string {
  return join(folderOf(version), 'node_modules', name, 'bin/node')
}

/** Whether this version of Node is in build/nodes, or may be installed there. */
export function isNodeAvailable(version: string): boolean {
  return mayInstall || existsSync(programOf(version))
}

/**
 * Installs another version of Node in build/nodes, once, and returns the path of its program. Throws an `Error` if
 * `TESTS_INSTALL=off` forbids it.
 */
export function fetchNode(version: string): string {
  const node = programOf(version)
  if (existsSync(node)) return node
  if (!mayInstall) {
    throw new Error(
      `Node ${version} is not in build/nodes, and TESTS_INSTALL=off forbids to install it.`,
    )
  }
  announceInstall(`Node ${version} in build/nodes`)
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--prefix', folderOf(version)]
  execFileSync('npm', ['install', ...options, `${name}@${version}`], { stdio: 'inherit' })
  return node
}
