import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import {
  compileLibraries,
  compileServer,
  LIBRARIES_OUT,
  SERVER_OUT,
  writeModuleEntry,
} from './lib/build.ts'
import { publishedManifest, type SourceManifest, toDist } from './lib/manifest.ts'

/**
 * `npm run pack`: builds the packages with tsc and packs the tarballs that users install.
 *
 * In the repository the manifest of a package points at its TypeScript sources, so nothing needs a build to
 * run. The published form is prepared in build/packages: the same manifest, with JavaScript.
 */

const root = resolve(import.meta.dirname, '..')
const PUBLISHED = [
  { folder: 'jwt', format: 'commonjs' },
  { folder: 'guard', format: 'commonjs' },
  { folder: 'client', format: 'module' },
  { folder: 'server', format: 'module' },
] as const

export interface Tarball {
  readonly name: string
  readonly path: string
}

/** Builds and packs all packages into build/tarballs. Returns one tarball for each. */
export function packAll(): readonly Tarball[] {
  for (const folder of ['packages', 'tarballs']) {
    rmSync(join(root, 'build', folder), { recursive: true, force: true })
  }
  compileLibraries()
  compileServer()
  const tarballs = join(root, 'build/tarballs')
  mkdirSync(tarballs, { recursive: true })
  return PUBLISHED.map((published) => {
    const stage = stagePackage(published)
    // Checks that users of the package can resolve its exports, types and files.
    execFileSync('publint', ['run', '--strict', '--pack', 'npm', stage], { stdio: 'inherit' })
    const packed: unknown = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--pack-destination', tarballs], {
        cwd: stage,
        encoding: 'utf8',
      }),
    )
    const { name, filename } = firstOf(packed)
    return { name, path: join(tarballs, filename) }
  })
}

function firstOf(packed: unknown): { name: string; filename: string } {
  const [first] = (Array.isArray(packed) ? packed : Object.values(packed ?? {})) as {
    name: string
    filename: string
  }[]
  if (first === undefined) throw new Error('npm pack printed no tarball')
  return first
}

function stagePackage({ folder, format }: (typeof PUBLISHED)[number]): string {
  const source = join(root, 'packages', folder)
  const stage = join(root, 'build/packages', folder)
  mkdirSync(stage, { recursive: true })
  const compiled = format === 'commonjs' ? LIBRARIES_OUT : SERVER_OUT
  cpSync(join(compiled, folder, 'src'), join(stage, 'dist'), { recursive: true })
  for (const file of ['README.md', 'bin']) {
    if (existsSync(join(source, file))) {
      cpSync(join(source, file), join(stage, file), { recursive: true })
    }
  }
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'))
  // The text is the manifest of one of our packages, and publint checks the result.
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as SourceManifest
  const published = publishedManifest(manifest, format)
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
  if (format === 'commonjs') {
    for (const entry of Object.values(manifest.exports)) {
      writeModuleEntry(join(stage, toDist(entry, '.js')))
    }
  }
  return stage
}

if (import.meta.main) {
  for (const { path } of packAll()) process.stdout.write(`${path}\n`)
}
