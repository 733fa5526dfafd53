import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * `npm run generate`: writes the pages and pictures that are generated from tables in the code. Each module
 * in scripts/generate exports `path` and `render`, or objects with both, or lists of such objects. `npm run
 * check` fails if a file differs from the output of its module.
 */

/** A generated file. `render` must return the same text every time. */
export interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string
  readonly render: () => string | Promise<string>
}

const root = resolve(import.meta.dirname, '..')

/** Returns all generated files, in the order of their modules. Throws if no module exports one. */
export async function loadGenerated(
  folder: string = join(import.meta.dirname, 'generate'),
): Promise<readonly GeneratedFile[]> {
  const files: GeneratedFile[] = []
  for (const name of globSync('*.ts', { cwd: folder }).toSorted()) {
    const module: unknown = await import(pathToFileURL(join(folder, name)).href)
    files.push(...[module, ...Object.values(Object(module))].flat().filter(isGeneratedFile))
  }
  if (files.length === 0) throw new Error(`no module in ${folder} generates a file`)
  return files
}

function isGeneratedFile(value: unknown): value is GeneratedFile {
  if (typeof value !== 'object' || value === null) return false
  const { path, render } = value as { path?: unknown; render?: unknown }
  return typeof path === 'string' && typeof render === 'function'
}

/** Returns one line for each file that is missing or differs from the output of its module. */
export async function findOutdated(
  files: readonly GeneratedFile[],
  base: string = root,
): Promise<string[]> {
  const outdated: string[] = []
  for (const { path, render } of files) {
    const expected = await render()
    if (readIfPresent(join(base, path)) !== expected) {
      outdated.push(`${path}: differs from its tables in the code; run npm run generate`)
    }
  }
  return outdated
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

if (import.meta.main) {
  for (const { path, render } of await loadGenerated()) {
    const text = await render()
    const isChanged = readIfPresent(join(root, path)) !== text
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (isChanged) writeFileSync(join(root, path), text)
    process.stdout.write(`${isChanged ? 'written  ' : 'unchanged'}  ${path}\n`)
  }
}
