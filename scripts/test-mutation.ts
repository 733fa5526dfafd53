import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * `npm run test:mutation`: changes packages/jwt in some 2,500 small ways and runs the fast suites
 * that cover each; a change that no test notices has survived. Takes 40 minutes the first time, and
 * then only what changed since, so it is apart from `npm test`. Writes
 * packages/jwt/mutation/REPORT.md.
 *
 * Fails below 90 % killed, and for a survivor without its reason in survivors.json. With file names
 * behind `--`, only those are changed and nothing is written.
 */

const SCORE_MIN = 90

interface Reason {
  readonly file: string
  readonly original: string
  readonly replacement: string
  readonly reason: string
}

/** The part of Stryker's JSON report (mutation testing report schema 2) that is read here. */
interface Report {
  readonly files: Readonly<
    Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>
  >
}

interface Mutant {
  readonly mutatorName: string
  readonly replacement: string
  readonly status: string
  readonly location: { readonly start: Position; readonly end: Position }
}

interface Position {
  readonly line: number
  readonly column: number
}

interface Survivor {
  readonly file: string
  readonly line: number
  readonly original: string
  readonly replacement: string
  readonly reason: string | undefined
}

const root = resolve(import.meta.dirname, '..')
const folder = join(root, 'packages/jwt/mutation')
const only = process.argv.slice(2)

const args = ['run', join(folder, 'stryker.config.json')]
if (only.length > 0) args.push('--mutate', only.join(','))
const run = spawnSync('stryker', args, { cwd: root, stdio: 'inherit' })
if (run.status !== 0) process.exit(1)

const report = readJson(join(root, 'build/mutation.json')) as Report
const reasons = readJson(join(folder, 'survivors.json')) as readonly Reason[]
const survivors = Object.entries(report.files).flatMap(([file, { source, mutants }]) =>
  mutants.filter(hasSurvived).map((mutant) => toSurvivor(file, source, mutant)),
)
const rows = Object.entries(report.files).map(([file, { mutants }]) => countOf(file, mutants))
const total = countOf(
  'all',
  Object.values(report.files).flatMap(({ mutants }) => mutants),
)
const unexplained = survivors.filter(({ reason }) => reason === undefined)

for (const { file, line, original, replacement } of unexplained) {
  process.stdout.write(`no reason: ${file}:${line}\n  - ${original}\n  + ${replacement}\n`)
}
process.stdout.write(`${total.killed} of ${total.all} killed: ${total.score} %\n`)
if (only.length === 0) {
  writeFileSync(join(folder, 'REPORT.md'), render())
  if (Number(total.score) < SCORE_MIN || unexplained.length > 0) process.exitCode = 1
}

function hasSurvived({ status }: Mutant): boolean {
  return status === 'Survived' || status === 'NoCoverage'
}

// A change that ends in an endless loop was noticed; one that does not compile is none.
function countOf(name: string, mutants: readonly Mutant[]) {
  const real = mutants.filter(({ status }) => !/Error|Ignored/.test(status))
  const killed = real.filter((mutant) => !hasSurvived(mutant)).length
  const score = ((100 * killed) / Math.max(1, real.length)).toFixed(1)
  return { name, all: real.length, killed, score }
}

function toSurvivor(file: string, source: string, mutant: Mutant): Survivor {
  const name = file.replace('packages/jwt/src/', '')
  const original = textAt(source, mutant.location)
  const replacement = oneLine(mutant.replacement)
  const known = reasons.find(
    (each) => each.file === name && each.original === original && each.replacement === replacement,
  )
  return {
    file: name,
    line: mutant.location.start.line,
    original,
    replacement,
    reason: known?.reason,
  }
}

function textAt(source: string, { start, end }: Mutant['location']): string {
  const lines = source.split('\n').slice(start.line - 1, end.line)
  lines[lines.length - 1] = (lines.at(-1) ?? '').slice(0, end.column - 1)
  lines[0] = (lines[0] ?? '').slice(start.column - 1)
  return oneLine(lines.join('\n'))
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

function render(): string {
  const { devDependencies } = readJson(join(root, 'package.json')) as {
    devDependencies: Record<string, string>
  }
  const versions = `Stryker ${devDependencies['@stryker-mutator/core']}, Node ${process.version}`
  return `# Mutation testing

\`npm run test:mutation\` wrote this on ${new Date().toISOString().slice(0, 10)}, with ${versions}.
**${total.killed} of ${total.all} changes to the sources were noticed by the fast suites: ${total.score} %.**

| file | changes | killed | % |
|---|---|---|---|
${rows.map(({ name, all, killed, score }) => `| ${name.replace('packages/jwt/src/', '')} | ${all} | ${killed} | ${score} |`).join('\n')}

## What survived, and why

${survivorsByReason()}
`
}

function survivorsByReason(): string {
  const given = [...new Set(survivors.map(({ reason }) => reason))]
  return given
    .map((reason) => {
      const group = survivors.filter((each) => each.reason === reason).map(renderSurvivor)
      return `**${reason ?? 'No reason is given.'}**\n\n${group.join('\n')}`
    })
    .join('\n\n')
}

function renderSurvivor({ file, line, original, replacement }: Survivor): string {
  const shorten = (text: string) => (text.length > 90 ? `${text.slice(0, 87)}...` : text)
  return `- ${file}:${line}: \`\` ${shorten(original)} \`\` became \`\` ${shorten(replacement)} \`\``
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
