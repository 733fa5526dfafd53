import { spawn } from 'node:child_process'

import { findWrongArrows } from './layers.ts'

/** `npm run check`: format, lint, types, layers, unused code. All run, each failure is shown. */

interface Outcome {
  readonly name: string
  readonly passed: boolean
  readonly output: string
}

const started = performance.now()
const outcomes = await Promise.all([
  run('format', 'oxfmt', ['--check', '.']),
  run('lint', 'oxlint', ['--type-aware', '--quiet']),
  run('types', 'tsc', ['-p', '.']),
  run('unused code', 'knip', []),
  checkLayers(),
])

for (const { name, passed, output } of outcomes) {
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'}  ${name}\n`)
  if (!passed) process.stdout.write(`${output.trimEnd()}\n\n`)
}
const seconds = ((performance.now() - started) / 1000).toFixed(1)
process.stdout.write(`check took ${seconds} s\n`)
if (outcomes.some(({ passed }) => !passed)) process.exitCode = 1

function run(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', (error) => resolve({ name, passed: false, output: error.message }))
    child.once('close', (code) => resolve({ name, passed: code === 0, output }))
  })
}

async function checkLayers(): Promise<Outcome> {
  const wrong = findWrongArrows()
  return { name: 'layers', passed: wrong.length === 0, output: wrong.join('\n') }
}
