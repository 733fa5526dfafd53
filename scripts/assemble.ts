import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

import { productionLock, type OwnPackage, type PackageLock } from './lib/production-lock.ts'

/**
 * `node scripts/assemble.ts FOLDER`: installs the server for production in an empty folder, from the tarballs of
 * `npm run pack` and at the versions of package-lock.json. The container image and its test use it.
 */

const root = resolve(import.meta.dirname, '..')

/** The server, and the packages of this repository that it loads. */
const FOLDERS = ['jwt', 'guard', 'server']

/** Installs the server in a folder. Runs no script of a package. Needs `npm run pack` before. */
export function assemble(target: string): void {
  const tarballs = join(target, 'tarballs')
  mkdirSync(tarballs, { recursive: true })
  const own = Object.fromEntries(FOLDERS.map((folder) => ownPackage(folder)))
  for (const { tarball } of Object.values(own)) {
    copyFileSync(join(root, 'build', tarball), join(target, tarball))
  }
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as PackageLock
  const packages = productionLock({ lock, name: 'countersign', own, without: replacedByFolders() })
  const dependencies = Object.fromEntries(
    Object.entries(own).map(([name, { tarball }]) => [name, `file:${tarball}`]),
  )
  const manifest = { name: 'countersign-image', private: true, dependencies }
  const first = { name: manifest.name, dependencies }
  writeJson(join(target, 'package.json'), manifest)
  writeJson(join(target, 'package-lock.json'), {
    name: manifest.name,
    lockfileVersion: 3,
    requires: true,
    packages: { '': first, ...packages },
  })
  const options = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  execFileSync('npm', ['ci', ...options], { cwd: target, stdio: 'inherit' })
  rmSync(tarballs, { recursive: true })
}

function ownPackage(folder: string): [string, OwnPackage] {
  const stage = join(root, 'build/packages', folder, 'package.json')
  const manifest = JSON.parse(readFileSync(stage, 'utf8')) as { name: string; version: string }
  const file = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`
  return [
    manifest.name,
    { folder: `packages/${folder}`, tarball: join('tarballs', file), manifest },
  ]
}

/** The packages in whose place an override puts a folder of this repository, which is empty. */
function replacedByFolders(): ReadonlySet<string> {
  const { overrides } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    overrides: Record<string, string>
  }
  const replaced = Object.entries(overrides).filter(([, by]) => by.startsWith('file:'))
  return new Set(replaced.map(([name]) => name))
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

if (import.meta.main) {
  const [target] = process.argv.slice(2)
  if (target === undefined)
    throw new Error(`Usage: node scripts/${basename(import.meta.filename)} FOLDER`)
  assemble(resolve(target))
}
