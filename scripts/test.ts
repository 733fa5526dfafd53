import { spawn } from 'node:child_process'

import { setUpTests } from './setup-tests.ts'

/**
 * `npm test`: everything, in the order of how soon it tells something. Stops at the first stage that
 * fails and says which.
 */
const stages: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['check', ['node', 'scripts/check.ts']],
  ['fast suites', ['vitest', 'run', '--project', 'fast']],
  ['slow suites', ['vitest', 'run', '--project', 'slow']],
  ['jwt on Node 20 to 26', ['node', 'scripts/test-matrix.ts']],
  ['demo', ['node', 'scripts/demo.ts']],
  ['demo as installed', ['node', 'scripts/demo-installed.ts']],
]

const started = performance.now()
if (!(await setUpTests())) process.exit(1)
for (const [name, command] of stages) {
  const before = performance.now()
  process.stdout.write(`\n== ${name}\n`)
  const code = await run(command)
  if (code !== 0) {
    process.stderr.write(`\nnpm test: "${name}" failed (exit code ${code}).\n`)
    process.exit(1)
  }
  process.stdout.write(`== ${name}: passed in ${secondsSince(before)} s\n`)
}
process.stdout.write(`\nnpm test: all stages passed in ${secondsSince(started)} s\n`)

function run([program = '', ...args]: readonly string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    child.once('error', reject)
    child.once('close', resolve)
  })
}

function secondsSince(before: number): string {
  return ((performance.now() - before) / 1000).toFixed(0)
}
