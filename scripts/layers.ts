import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/**
 * Proves the arrows of ARCHITECTURE.md: which package may import which, and, inside the server, that
 * each folder imports only from those above it. Fails when it sees no files, so that a moved folder
 * cannot make it pass.
 */

/** The folders of packages/server/src from the ground up; files beside them may import all. */
const LAYERS = ['base', 'store', 'keys', 'revocations', 'accounts', 'sessions', 'http']
/** What stands on top and may import everything below `src`. */
const TOP = new Set(['authority', 'cli'])

/** What each package may import besides Node's own modules and its own files. */
const PACKAGES: Record<string, readonly string[]> = {
  jwt: [],
  guard: ['@countersign/jwt', 'express', 'fastify', 'hono'],
  server: [
    '@countersign/guard',
    '@countersign/jwt',
    '@hono/node-server',
    '@node-rs/argon2',
    '@zxcvbn-ts/language-common',
    'bowser',
    'hono',
    'ioredis',
    'pino',
    'ws',
    'zod',
  ],
}

const root = resolve(import.meta.dirname, '..')

/** Each forbidden import as a line; empty when all arrows point the right way. */
export function findWrongArrows(): string[] {
  const wrong: string[] = []
  for (const [name, allowed] of Object.entries(PACKAGES)) {
    const source = join(root, 'packages', name, 'src')
    const files = globSync('**/*.ts', { cwd: source })
    if (files.length === 0) wrong.push(`packages/${name}/src: no files were seen`)
    for (const file of files) {
      for (const target of importsOf(join(source, file))) {
        const problem = target.startsWith('.')
          ? checkInside(name, source, file, target)
          : checkOutside(target, allowed)
        if (problem !== undefined) wrong.push(`packages/${name}/src/${file}: ${problem}`)
      }
    }
  }
  return wrong
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*'([^']+)'|(?<!['\w])import\s*\(?\s*'([^']+)'/g
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '')
}

function checkOutside(target: string, allowed: readonly string[]): string | undefined {
  if (target.startsWith('node:')) return undefined
  const isAllowed = allowed.some((name) => target === name || target.startsWith(`${name}/`))
  return isAllowed ? undefined : `imports ${target}, which this package may not`
}

function checkInside(
  name: string,
  source: string,
  file: string,
  target: string,
): string | undefined {
  const path = relative(source, resolve(source, dirname(file), target))
  if (path.startsWith('..')) return `imports ${target}, outside its package`
  if (name !== 'server') return undefined
  const from = file.split('/')[0] ?? ''
  const to = path.split('/')[0] ?? ''
  if (!file.includes('/') || TOP.has(from)) return undefined
  const height = LAYERS.indexOf(from)
  if (height === -1) return `stands in ${from}/, which is no layer`
  if (!LAYERS.slice(0, height + 1).includes(to)) return `${from}/ imports ${path} from above it`
  return undefined
}
