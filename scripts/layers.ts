import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

import { readSources, type SourceFile } from './lib/modules.ts'

/**
 * Checks the arrows of ARCHITECTURE.md. They define which package may import which. Inside the server, each
 * folder imports only from those below it. No files import each other in a cycle. Imports of types count. The
 * check fails if it finds no files, so that a moved folder cannot make it pass.
 */

/** The folders of packages/server/src, lowest first. Files directly in `src` may import all of them. */
const LAYERS = [
  'base',
  'redis',
  'store',
  'keys',
  'revocations',
  'nodes',
  'accounts',
  'mail',
  'factors',
  'sessions',
  'by-mail',
  'with-factors',
  'sso',
  'upstream',
  'http',
]
/** The folders on top, which may import everything below `src`. */
const TOP = new Set(['authority', 'cli'])

/** The packages that each package may import, besides Node's own modules and its own files. */
const PACKAGES: Record<string, readonly string[]> = {
  jwt: [],
  guard: ['@countersign/jwt', '@nestjs/common', '@nestjs/core', 'express', 'fastify', 'hono'],
  client: [
    '@angular/common',
    '@angular/core',
    '@angular/router',
    'axios',
    'next',
    'react',
    'rxjs',
    'vue',
  ],
  server: [
    '@countersign/guard',
    '@countersign/jwt',
    '@hono/node-server',
    '@node-rs/argon2',
    '@simplewebauthn/server',
    '@zxcvbn-ts/language-common',
    'bowser',
    'hono',
    'ioredis',
    'nodemailer',
    'oidc-provider',
    'openid-client',
    'otplib',
    'pg',
    'pino',
    'qrcode',
    'swagger-ui-dist',
    'tldts',
    'ws',
    'zod',
  ],
}

const root = resolve(import.meta.dirname, '..')

/** Returns one line for each forbidden import and each cycle. Empty if all arrows point the right way. */
export function findWrongArrows(base: string = root): string[] {
  return Object.entries(PACKAGES).flatMap(([name, allowed]) => {
    const source = join(base, 'packages', name, 'src')
    const files = existsSync(source) ? readSources(source) : []
    if (files.length === 0) return [`packages/${name}/src: no files were found`]
    const forbidden = files.flatMap(({ file, imports }) =>
      imports
        .map((target) =>
          target.startsWith('.')
            ? checkInside(name, file, target)
            : checkOutside(name, target, allowed),
        )
        .filter((problem) => problem !== undefined)
        .map((problem) => `packages/${name}/src/${file}: ${problem}`),
    )
    const circles = findCircles(files).map(
      (circle) => `packages/${name}/src: these files import each other: ${circle.join(' -> ')}`,
    )
    return forbidden.concat(circles)
  })
}

function checkOutside(
  from: string,
  target: string,
  allowed: readonly string[],
): string | undefined {
  // The client runs in browsers, which have no modules of Node.
  if (target.startsWith('node:') && from !== 'client') return undefined
  const isAllowed = allowed.some((name) => target === name || target.startsWith(`${name}/`))
  return isAllowed ? undefined : `imports ${target}, which this package may not`
}

/**
 * Returns the path below `src` of the file that a file imports. It begins with `..` if that file is outside.
 */
function resolveInside(file: string, target: string): string {
  return relative('/', resolve('/', dirname(file), target))
}

function checkInside(name: string, file: string, target: string): string | undefined {
  // Resolves from an imagined `/src`, so that a path that leaves it is visible.
  const path = relative('/src', resolve('/src', dirname(file), target))
  if (path.startsWith('..')) return `imports ${target}, outside its package`
  if (name !== 'server') return undefined
  const from = file.split('/')[0] ?? ''
  const to = path.split('/')[0] ?? ''
  if (!file.includes('/') || TOP.has(from)) return undefined
  const height = LAYERS.indexOf(from)
  if (height === -1) return `is in ${from}/, which is not a layer`
  if (!LAYERS.slice(0, height + 1).includes(to)) return `${from}/ imports ${path} from above it`
  return undefined
}

/**
 * Returns the shortest cycle through each group of files that reach each other, as a path back to its start.
 */
function findCircles(files: readonly SourceFile[]): string[][] {
  const arrows = new Map(
    files.map(({ file, imports }) => [
      file,
      imports.filter((target) => target.startsWith('.')).map((each) => resolveInside(file, each)),
    ]),
  )
  const circles: string[][] = []
  const reported = new Set<string>()
  for (const { file } of files) {
    const circle = reported.has(file) ? undefined : findPathBack(file, arrows)
    if (circle === undefined) continue
    for (const each of circle) reported.add(each)
    circles.push(circle)
  }
  return circles
}

/** Returns the shortest path from a file back to itself, by breadth-first search. */
function findPathBack(
  start: string,
  arrows: ReadonlyMap<string, readonly string[]>,
): string[] | undefined {
  const seen = new Set<string>()
  const paths = [[start]]
  for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
    for (const next of arrows.get(path.at(-1)!) ?? []) {
      if (next === start) return [...path, start]
      if (seen.has(next)) continue
      seen.add(next)
      paths.push([...path, next])
    }
  }
  return undefined
}
