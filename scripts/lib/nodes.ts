import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** The program of a Node of another version out of the registry, kept in build/ between runs. */
export function fetchNode(version: string): string {
  const folder = join(root, 'build/nodes', version)
  const name = `node-linux-${process.arch}`
  const node = join(folder, 'node_modules', name, 'bin/node')
  if (!existsSync(node)) {
    const options = ['--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder]
    execFileSync('npm', ['install', ...options, `${name}@${version}`], { stdio: 'inherit' })
  }
  return node
}
