import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { findBrokenLinks } from './check-links.ts'
import { findUndocumented } from './docstrings.ts'
import { findOutdated, loadGenerated } from './generate.ts'
import { findWrongArrows } from './layers.ts'
import { findTooLong } from './readme-length.ts'

/**
 * `npm run check`: format, lint, types, unused code, layers, docstrings, links, the README's length and
 * generated files. Runs all of them, prints the time of each and shows each failure.
 */

interface Outcome {
  readonly passed: boolean
  readonly output: string
}

const root = resolve(import.meta.dirname, '..')

// Types and type-aware lint take 90 % of the time, and both use two cores. tsc stores its results, so that a
// later run checks only files that a change can affect.
const cache = join(root, 'node_modules/.cache/check')
mkdirSync(cache, { recursive: true })
const incremental = ['--incremental', '--tsBuildInfoFile', join(cache, 'tsc.tsbuildinfo')]

const checks: Readonly<Record<string, () => Promise<Outcome>>> = {
  lint: () => run('oxlint', ['--type-aware', '--quiet']),
  types: () => run('tsc', ['-p', '.', ...incremental]),
  // Pages have types of the browser, which the rest must not see.
  'types: React': () => run('tsc', ['-p', 'examples/react-vite']),
  'types: Vue': () => run('tsc', ['-p', 'examples/vue']),
  'types: Angular': () => run('tsc', ['-p', 'examples/angular']),
  'unused code': () => run('knip', ['--cache', '--cache-location', join(cache, 'knip')]),
  format: () => run('oxfmt', ['--check', '.']),
  layers: () => listing(() => findWrongArrows()),
  docstrings: () => listing(() => findUndocumented()),
  links: () => listing(() => findBrokenLinks()),
  'README length': () => listing(() => findTooLong(readFileSync(join(root, 'README.md'), 'utf8'))),
  'generated files': () => listing(async () => findOutdated(await loadGenerated())),
}

const started = performance.now()
const outcomes = await Promise.all(
  Object.entries(checks).map(async ([name, check]) => {
    const { passed, output } = await check()
    return { name, passed, output, seconds: secondsSince(started) }
  }),
)
for (const { name, passed, output, seconds } of outcomes) {
  process.stdout.write(
    `${passed ? 'ok    ' : 'FAILED'}  ${name.padEnd(16)}${seconds.padStart(5)} s\n`,
  )
  if (!passed) process.stdout.write(`${output.trimEnd()}\n\n`)
}
const failed = outcomes.filter(({ passed }) => !passed).map(({ name }) => name)
process.stdout.write(`check took ${secondsSince(started)} s\n`)
if (failed.length > 0) {
  process.stdout.write(`Failed: ${failed.join(', ')}\n`)
  process.exitCode = 1
}

/** Runs a program. It passes if it exits with 0. */
function run(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', (error) => done({ passed: false, output: error.message }))
    child.once('close', (code) => done({ passed: code === 0, output }))
  })
}

/** Runs one of our own checks. It passes if it finds nothing and does not throw. */
async function listing(
  find: () => readonly string[] | Promise<readonly string[]>,
): Promise<Outcome> {
  try {
    const found = await find()
    return { passed: found.length === 0, output: found.join('\n') }
  } catch (error) {
    return { passed: false, output: String(error) }
  }
}

function secondsSince(before: number): string {
  return ((performance.now() - before) / 1000).toFixed(1)
}
