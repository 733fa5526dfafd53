import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { endTree } from './process-tree.ts'

/** One step of `npm test` or `npm run test:long`. */
export interface Stage {
  readonly name: string
  /** A program in node_modules/.bin or of the system, and its arguments. */
  readonly command: readonly string[]
  /** The project whose tests it runs. Its tests are counted, and its failed tests are named. */
  readonly project?: string
}

/** The part of Vitest's JSON report that this script reads. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

const root = resolve(import.meta.dirname, '../..')
const reports = join(root, 'build/reports')

/** Makes the stage that runs a Vitest project. */
export function vitestStage(name: string, project: string): Stage {
  const reporters = ['--reporter=default', '--reporter=json']
  const report = `--outputFile.json=${reportPath(project)}`
  return { name, project, command: ['vitest', 'run', '--project', project, ...reporters, report] }
}

/**
 * Runs the stages in order and prints the time of each. Stops at the first stage that fails. At the end it
 * names the failed stage and its failed tests, and prints `N passed, N failed`, which counts tests. Returns
 * whether all passed.
 */
export async function runStages(title: string, stages: readonly Stage[]): Promise<boolean> {
  const started = performance.now()
  const counts = { passed: 0, failed: 0 }
  const times: string[] = []
  let failed: string | undefined
  mkdirSync(reports, { recursive: true })
  for (const { name, command, project } of stages) {
    const before = performance.now()
    process.stdout.write(`\n== ${name}\n`)
    if (project !== undefined) rmSync(reportPath(project), { force: true })
    const code = await run(command)
    times.push(`${secondsSince(before).padStart(6)} s  ${name}`)
    const report = project === undefined ? undefined : readReport(reportPath(project))
    counts.passed += report?.numPassedTests ?? 0
    counts.failed += report?.numFailedTests ?? 0
    if (code !== 0 || stoppedBy !== undefined) {
      const why = stoppedBy === undefined ? `exit code ${code}` : `stopped by ${stoppedBy}`
      failed = [`${name} (${why})`, ...failedTestsOf(report)].join('\n  ')
      break
    }
    process.stdout.write(`== ${name}: passed in ${secondsSince(before)} s\n`)
  }
  process.stdout.write(`\n${title}\n${times.join('\n')}\n${secondsSince(started).padStart(6)} s\n`)
  if (failed !== undefined) process.stdout.write(`\nFailed: ${failed}\n`)
  process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`)
  return failed === undefined
}

function reportPath(project: string): string {
  return join(reports, `${project}.json`)
}

function readReport(path: string): Report | undefined {
  try {
    // Vitest wrote it in its documented format.
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch {
    return undefined // Vitest ended before it could write a report.
  }
}

/** Returns the failed tests, and the files that could not be loaded. */
function failedTestsOf(report: Report | undefined): string[] {
  return (report?.testResults ?? []).flatMap(({ name, status, assertionResults }) => {
    const file = name.replace(`${root}/`, '')
    const tests = assertionResults.filter((each) => each.status === 'failed')
    if (tests.length === 0) return status === 'passed' ? [] : [file]
    return tests.map(({ fullName }) => `${file}: ${fullName}`)
  })
}

/**
 * Runs a program in a process group of its own, and ends what it leaves behind. If this process is told to stop, by
 * Ctrl-C for example, it ends the program first.
 */
async function run([program = '', ...args]: readonly string[]): Promise<number | null> {
  let pid: number | undefined
  const stop = (signal: NodeJS.Signals): void => {
    stoppedBy = signal
    if (pid !== undefined) void endTree(pid)
  }
  // Before the program starts: a signal may come as soon as it runs.
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  try {
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    })
    pid = child.pid
    return await new Promise((done, reject) => {
      child.once('error', reject)
      child.once('exit', done)
    })
  } finally {
    if (pid !== undefined) await endTree(pid)
    for (const signal of STOP_SIGNALS) process.off(signal, stop)
  }
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let stoppedBy: NodeJS.Signals | undefined

function secondsSince(before: number): string {
  return ((performance.now() - before) / 1000).toFixed(0)
}
