import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { build } from 'vite'

const EXAMPLES = join(import.meta.dirname, '../../examples')

/** Builds an example with Vite as for production. Returns the text at each path: other paths have the page. */
export async function buildExample(name: string): Promise<(path: string) => string> {
  const root = join(EXAMPLES, name)
  const built = await build({ root, logLevel: 'error', build: { write: false } })
  if (!('output' in built)) throw new Error('vite gave no output')
  const files = new Map(
    built.output.map((file) => [
      `/${file.fileName}`,
      file.type === 'chunk' ? file.code : String(file.source),
    ]),
  )
  return (path) => files.get(path) ?? files.get('/index.html')!
}

/** Counts the lines of an example's code. */
export function countLines(name: string): number {
  return readdirSync(join(EXAMPLES, name), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:html|tsx?|vue)$/.test(file) && !file.includes('node_modules'))
    .map(
      (file) =>
        readFileSync(join(EXAMPLES, name, file), 'utf8')
          .trimEnd()
          .split('\n').length,
    )
    .reduce((sum, count) => sum + count, 0)
}
