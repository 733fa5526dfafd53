import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { compileLibraries, LIBRARIES_OUT } from './lib/build.ts'
import { fetchNode, isNodeAvailable } from './lib/nodes.ts'

/**
 * `npm run test:matrix`: runs the suites of packages/jwt, including the slow ones, against the compiled
 * package, on one release of each Node that it supports. A stage of `npm run test:long`.
 *
 * tsc compiles the sources as for publishing, and the suites to ES modules. Vitest runs on the Node under test
 * and leaves the compiled package to the loader of that Node. So the tests run the JavaScript that users get,
 * on the same V8 and OpenSSL.
 *
 * Not covered: the packed manifest (`npm run pack` checks it), other operating systems, and types (`npm run
 * check`). Each Node also skips one suite: the suite of ML-DSA where Node lacks it, and the suite of its
 * absence elsewhere.
 *
 * Vitest 5 does not promise to run on Node 20. If it stops running there, that row fails: each suite checks
 * the version that it runs on, and a row with a missing suite fails.
 */

const VERSIONS = ['20.20.2', '22.23.3', '24.21.0', '26.10.0']
const ML_DSA_SINCE = 24

/** A run takes about two minutes. Vitest on Node 20 once waited for a worker for ever. */
const RUN_SEC_MAX = 900
const TRIES = 2

// Without `external`, Vitest would rewrite the modules of the package before they run.
const VITEST_CONFIG = `export default {
  test: {
    include: ['packages/jwt/test/**/*.test.js'],
    setupFiles: ['setup.js'],
    testTimeout: 300_000,
    maxWorkers: 2,
    server: { deps: { external: [/matrix\\/packages\\/jwt\\/src\\//] } },
  },
}
`

const SETUP = `const expected = 'v' + process.env.MATRIX_NODE
if (process.version !== expected) throw new Error('runs on ' + process.version)
`

interface Row {
  readonly passed: number
  readonly suites: number
  /** One text for each failure. */
  readonly faults: readonly string[]
}

/** The part of Vitest's JSON report that this script reads. */
interface Report {
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

const root = resolve(import.meta.dirname, '..')
const stage = join(root, 'build/matrix')

buildStage()
const lines: string[] = []
for (const version of VERSIONS) {
  if (!isNodeAvailable(version)) {
    lines.push(`NOT RUN  Node ${version}: not in build/nodes, and TESTS_INSTALL=off`)
    continue
  }
  process.stdout.write(`testing on Node ${version}\n`)
  const { passed, suites, faults } = testOn(version)
  for (const fault of faults) process.stdout.write(`${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
  const verdict = faults.length === 0 ? 'ok    ' : 'FAILED'
  lines.push(`${verdict}  Node ${version}: ${passed} cases passed in ${suites} suites`)
}
process.stdout.write(`${lines.join('\n')}\n`)

/** Fills build/matrix with the compiled package and suites, their data, and the configuration to run them. */
function buildStage(): void {
  rmSync(stage, { recursive: true, force: true })
  mkdirSync(stage, { recursive: true })
  const settings = {
    extends: '../../tsconfig.build.json',
    compilerOptions: { noCheck: true, declaration: false, rootDir: '../..', outDir: '.' },
    include: ['../../packages/jwt/test'],
  }
  writeFileSync(join(stage, 'tsconfig.json'), JSON.stringify(settings))
  execFileSync('tsc', ['-p', stage], { cwd: root, stdio: 'inherit' })
  // tsc has also compiled the sources that the suites import. The published JavaScript replaces them.
  const sources = join(stage, 'packages/jwt/src')
  rmSync(sources, { recursive: true, force: true })
  compileLibraries()
  cpSync(join(LIBRARIES_OUT, 'jwt/src'), sources, { recursive: true })
  writeFileSync(join(sources, 'package.json'), '{ "type": "commonjs" }\n')
  for (const data of ['packages/jwt/test/vectors', 'packages/jwt/README.md']) {
    cpSync(join(root, data), join(stage, data), { recursive: true })
  }
  writeFileSync(join(stage, 'vitest.config.js'), VITEST_CONFIG)
  writeFileSync(join(stage, 'setup.js'), SETUP)
}

/** Runs all suites on one version of Node. A run that ends without a report is repeated. */
function testOn(version: string): Row {
  const hasMlDsa = Number.parseInt(version, 10) >= ML_DSA_SINCE
  const excluded = `packages/jwt/test/${hasMlDsa ? 'ml-dsa-missing' : 'ml-dsa'}.test.js`
  const path = join(stage, `report-${version}.json`)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const options = [`--root=${stage}`, `--exclude=${excluded}`, '--reporter=json']
  const command = [fetchNode(version), vitest, 'run', ...options, `--outputFile.json=${path}`]
  let report: Report | undefined
  let reason = ''
  for (let tries = 0; report === undefined && tries < TRIES; tries += 1) {
    // `timeout` also ends the workers of Vitest.
    const { stderr } = spawnSync('timeout', ['-s', 'KILL', String(RUN_SEC_MAX), ...command], {
      cwd: stage,
      encoding: 'utf8',
      env: { ...process.env, MATRIX_NODE: version },
    })
    report = readReport(path)
    reason = stderr
    if (report === undefined) process.stdout.write(`Node ${version}: the run wrote no report\n`)
  }
  if (report === undefined) return { passed: 0, suites: 0, faults: [`no report\n${reason}`] }

  const expected = globSync('packages/jwt/test/**/*.test.js', { cwd: stage }).filter(
    (file) => file !== excluded,
  )
  const ran = report.testResults.filter(({ assertionResults }) => assertionResults.length > 0)
  const faults = report.testResults.flatMap(faultsOf)
  if (ran.length !== expected.length) faults.push(`${ran.length} of ${expected.length} suites ran`)
  return { passed: report.numPassedTests, suites: ran.length, faults }
}

function faultsOf(suite: Report['testResults'][number]): string[] {
  const failed = suite.assertionResults.filter(({ status }) => status === 'failed')
  const faults = failed.map(({ fullName, failureMessages }) =>
    [suite.name, fullName, ...failureMessages].join('\n  '),
  )
  // A suite that could not be loaded has no failed tests, only this message.
  if (suite.status !== 'passed' && faults.length === 0)
    faults.push(`${suite.name}\n  ${suite.message}`)
  return faults
}

function readReport(path: string): Report | undefined {
  try {
    // Vitest wrote it in its documented format.
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch {
    return undefined
  }
}
