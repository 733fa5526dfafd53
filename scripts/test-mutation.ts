import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * `npm run test:mutation`: makes about 2,500 small changes to packages/jwt, one at a time, and runs the fast
 * suites that cover each. A change that no test notices has survived. Writes packages/jwt/mutation-report.md.
 * `npm test` does not run it: the first run takes half an hour.
 *
 * A later run tests only what changed, according to build/stryker-incremental.json. Delete that file to test
 * everything, for example after adding a test for code that runs when a module is loaded.
 *
 * Fails if the tests notice less than 90 % of the changes, and for a survivor without a reason in
 * survivors.json. With file names after `--`, it changes only those files and writes nothing.
 *
 * Stryker has its own install in scripts/mutation. Its 150 packages take 40 MB, and nobody needs them to use
 * or test this project.
 */

const SCORE_MIN = 90

/**
 * The reason why tests cannot or need not notice some changes. A change is identified by its file and by its
 * whole lines before and after. So it is found again when lines move.
 */
interface Explanation {
  readonly reason: string
  readonly changes: readonly string[]
}

/** The part of Stryker's JSON report (mutation testing report schema 2) that this script reads. */
interface Report {
  readonly files: Readonly<
    Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>
  >
}

interface Mutant {
  readonly replacement: string
  readonly status: string
  readonly location: { readonly start: Position; readonly end: Position }
}

interface Position {
  readonly line: number
  readonly column: number
}

interface Survivor {
  readonly change: string
  readonly file: string
  readonly line: number
  readonly original: string
  readonly replacement: string
  readonly reason: string | undefined
}

const root = resolve(import.meta.dirname, '..')
const folder = join(root, 'packages/jwt/mutation')
const install = join(root, 'scripts/mutation')
const only = process.argv.slice(2)

// Stryker loads Vitest from the root, because its own install has no Vitest.
execFileSync('npm', ['ci'], { cwd: install, stdio: 'inherit' })

const args = ['run', join(folder, 'stryker.config.json')]
if (only.length > 0) args.push('--mutate', only.join(','))
const run = spawnSync(join(install, 'node_modules/.bin/stryker'), args, {
  cwd: root,
  stdio: 'inherit',
})
if (run.status !== 0) process.exit(1)

const explanations = readJson(join(folder, 'survivors.json')) as readonly Explanation[]
const report = readJson(join(root, 'build/mutation.json')) as Report
const files = Object.entries(report.files).map(([path, { source, mutants }]) => {
  const file = path.replace('packages/jwt/src/', '')
  return { file, source, mutants: mutants.filter(isOfUse) }
})
const survivors = files.flatMap(({ file, source, mutants }) =>
  mutants.filter(hasSurvived).map((mutant) => toSurvivor(file, source, mutant)),
)
const rows = files.map(({ file, mutants }) => countOf(file, mutants))
const total = countOf(
  '**all**',
  files.flatMap(({ mutants }) => mutants),
)
const unexplained = survivors.filter(({ reason }) => reason === undefined)

for (const { file, line, change } of unexplained) {
  process.stdout.write(`no reason for ${file}:${line}\n${JSON.stringify(change)}\n`)
}
process.stdout.write(`${total.noticed} of ${total.all} noticed: ${total.score} %\n`)
if (only.length === 0) {
  for (const change of findOutdated()) {
    process.stdout.write(`a reason without a survivor: ${JSON.stringify(change)}\n`)
  }
  writeFileSync(join(root, 'packages/jwt/mutation-report.md'), render())
  if (Number(total.score) < SCORE_MIN || unexplained.length > 0) process.exitCode = 1
}

function hasSurvived({ status }: Mutant): boolean {
  return status === 'Survived' || status === 'NoCoverage'
}

// A change that keeps the tests from starting counts neither as noticed nor as survived.
function isOfUse({ status }: Mutant): boolean {
  return !/Error|Ignored/.test(status)
}

function countOf(name: string, mutants: readonly Mutant[]) {
  const count = (status: string) => mutants.filter((mutant) => mutant.status === status).length
  const [killed, timeout] = [count('Killed'), count('Timeout')]
  // A timeout means an endless loop, which counts as noticed.
  const noticed = killed + timeout
  const all = mutants.length
  const score = all === 0 ? '-' : ((100 * noticed) / all).toFixed(1)
  const [survived, uncovered] = [count('Survived'), count('NoCoverage')]
  return { name, all, killed, timeout, survived, uncovered, noticed, score }
}

function toSurvivor(file: string, source: string, { location, replacement }: Mutant): Survivor {
  const { start, end } = location
  const lines = source.split('\n').slice(start.line - 1, end.line)
  const head = (lines[0] ?? '').slice(0, start.column - 1)
  const tail = (lines.at(-1) ?? '').slice(end.column - 1)
  const before = lines.join('\n')
  const original = oneLine(before.slice(head.length, before.length - tail.length))
  const after = head + replacement + tail
  const change = `${file}: ${oneLine(before)} → ${oneLine(after)}`
  const reason = explanations.find(({ changes }) => changes.includes(change))?.reason
  return { change, file, line: start.line, original, replacement: oneLine(replacement), reason }
}

function findOutdated(): string[] {
  const changes = explanations.flatMap((each) => each.changes)
  return changes.filter((change) => !survivors.some((survivor) => survivor.change === change))
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

function render(): string {
  const { vitest } = readDevDependencies(root)
  const { '@stryker-mutator/core': stryker } = readDevDependencies(install)
  const versions = `Stryker ${stryker}, Vitest ${vitest} and Node ${process.version}`
  return `# Mutation testing

Written by \`npm run test:mutation\` on ${new Date().toISOString().slice(0, 10)}, with ${versions}.
**The fast suites noticed ${total.noticed} of ${total.all} changes to the sources: ${total.score} %.**

| file | changes | killed | timeout | survived | not covered | % |
|---|--:|--:|--:|--:|--:|--:|
${[...rows, total].map(renderRow).join('\n')}

## What survived, and why

${[...explanations.map(({ reason }) => reason), undefined].map(renderReason).join('')}`
}

function renderRow(row: ReturnType<typeof countOf>): string {
  const { name, all, killed, timeout, survived, uncovered, score } = row
  return `| ${[name, all, killed, timeout, survived, uncovered, score].join(' | ')} |`
}

function renderReason(reason: string | undefined): string {
  const group = survivors.filter((each) => each.reason === reason)
  if (group.length === 0) return ''
  return `### ${reason ?? 'No reason is given.'}\n\n${group.map(renderSurvivor).join('\n')}\n\n`
}

function renderSurvivor({ file, line, original, replacement }: Survivor): string {
  const shorten = (text: string) => (text.length > 90 ? `${text.slice(0, 87)}...` : text)
  return `- ${file}:${line}: \`\` ${shorten(original)} \`\` became \`\` ${shorten(replacement)} \`\``
}

function readDevDependencies(project: string): Readonly<Record<string, string>> {
  // npm has read both manifests before this script runs.
  const manifest = readJson(join(project, 'package.json')) as {
    readonly devDependencies: Readonly<Record<string, string>>
  }
  return manifest.devDependencies
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
