import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * `npm run pack`: builds the packages with tsc and packs the tarballs that users install.
 *
 * In the repository the manifest of a package points at its TypeScript sources, so nothing needs a build to
 * run. The published form is prepared in build/packages: the same manifest, with JavaScript.
 */

const root = resolve(import.meta.dirname, '..')
const PUBLISHED = ['jwt', 'guard', 'server'] as const

export interface Tarball {
  readonly name: string
  readonly path: string
}

/** Builds and packs all packages into build/tarballs. Returns one tarball for each. */
export function packAll(): readonly Tarball[] {
  for (const folder of ['tsc', 'packages', 'tarballs']) {
    rmSync(join(root, 'build', folder), { recursive: true, force: true })
  }
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
  const tarballs = join(root, 'build/tarballs')
  mkdirSync(tarballs, { recursive: true })
  return PUBLISHED.map((folder) => {
    const stage = stagePackage(folder)
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

function stagePackage(folder: string): string {
  const source = join(root, 'packages', folder)
  const stage = join(root, 'build/packages', folder)
  mkdirSync(stage, { recursive: true })
  cpSync(join(root, 'build/tsc', folder, 'src'), join(stage, 'dist'), { recursive: true })
  for (const file of ['README.md', 'bin']) {
    if (existsSync(join(source, file))) {
      cpSync(join(source, file), join(stage, file), { recursive: true })
    }
  }
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'))
  const manifest = publishedManifest(readFileSync(join(source, 'package.json'), 'utf8'))
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return stage
}

/** Returns the manifest of the sources, changed to point at the output of tsc. */
function publishedManifest(text: string): Record<string, unknown> {
  const {
    private: _,
    devDependencies: __,
    ...manifest
  } = JSON.parse(text) as Record<string, unknown>
  const { exports: entries, imports } = manifest as {
    exports: Record<string, string>
    imports?: Record<string, string>
  }
  manifest['files'] = ['dist', 'bin']
  manifest['exports'] = Object.fromEntries(
    Object.entries(entries).map(([entry, source]) => [
      entry,
      { types: toDist(source, '.d.ts'), default: toDist(source, '.js') },
    ]),
  )
  if (imports !== undefined) {
    manifest['imports'] = Object.fromEntries(
      Object.entries(imports).map(([name, source]) => [name, toDist(source, '.js')]),
    )
  }
  return manifest
}

function toDist(source: string, extension: string): string {
  return source.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, extension)
}

if (import.meta.main) {
  for (const { path } of packAll()) process.stdout.write(`${path}\n`)
}
