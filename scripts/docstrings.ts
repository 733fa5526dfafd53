import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { readSources } from './lib/modules.ts'

const root = resolve(import.meta.dirname, '..')
const PACKAGES = ['jwt', 'guard', 'client', 'server']

/**
 * Returns one line for each exported declaration in packages/NAME/src without a docstring directly before it.
 * Re-exports and the members of interfaces need no docstring. A folder without files is reported too.
 */
export function findUndocumented(base: string = root): string[] {
  return PACKAGES.flatMap((name) => {
    const folder = join(base, 'packages', name, 'src')
    const files = existsSync(folder) ? readSources(folder) : []
    if (files.length === 0) return [`packages/${name}/src: no files were found`]
    return files.flatMap(({ file, declared }) =>
      declared
        // If a function is overloaded, its first signature has the docstring.
        .filter((own, i) => declared.findIndex((each) => each.name === own.name) === i)
        .filter(({ docstring }) => docstring === undefined)
        .map(({ name: exported, line }) => `packages/${name}/src/${file}:${line}: ${exported}`),
    )
  })
}
