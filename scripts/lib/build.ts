import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

/** Where `compileServer` and `compileLibraries` write: `SERVER_OUT/server/src`, `LIBRARIES_OUT/guard/src`. */
export const SERVER_OUT = join(root, 'build/tsc')
export const LIBRARIES_OUT = join(root, 'build/tsc-cjs')

/** Compiles the server to ES modules, with types. */
export function compileServer(): void {
  compile('tsconfig.build.json', SERVER_OUT)
}

/**
 * Compiles jwt and guard to CommonJS, with types. The published packages contain only this JavaScript. Node
 * reads it with `require` and, through `writeModuleEntry`, with `import`. So a process has one copy of it.
 */
export function compileLibraries(): void {
  compile('tsconfig.cjs.json', LIBRARIES_OUT)
  writeFileSync(join(LIBRARIES_OUT, 'package.json'), '{ "type": "commonjs" }\n')
}

function compile(project: string, out: string): void {
  rmSync(out, { recursive: true, force: true })
  execFileSync('tsc', ['-p', project], { cwd: root, stdio: 'inherit' })
  for (const file of globSync('**/*.d.ts', { cwd: out })) {
    const path = join(out, file)
    writeFileSync(path, withJsExtensions(readFileSync(path, 'utf8')))
  }
}

/**
 * Replaces `.ts` by `.js` in the relative imports of a declaration file. tsc replaces it in JavaScript only.
 * Older compilers accept `.ts` there only with `allowImportingTsExtensions`.
 */
function withJsExtensions(declarations: string): string {
  return declarations.replaceAll(/(['"])(\.{1,2}\/[^'"\n]+)\.ts\1/g, '$1$2.js$1')
}

/**
 * Writes the ES module of an entry beside its CommonJS file, and its types. It re-exports each name, so that
 * `import` and `require` give the same functions and classes.
 */
export function writeModuleEntry(file: string): void {
  const entry: unknown = createRequire(file)(file)
  if (typeof entry !== 'object' || entry === null) throw new TypeError(`${file} exports nothing`)
  const names = Object.keys(entry).toSorted()
  const target = `./${file.slice(file.lastIndexOf('/') + 1)}`
  const base = file.replace(/\.js$/, '')
  writeFileSync(`${base}.mjs`, `export { ${names.join(', ')} } from '${target}'\n`)
  writeFileSync(`${base}.d.mts`, `export * from '${target}'\n`)
}
