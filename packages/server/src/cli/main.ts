import { parseArgs } from 'node:util'

import { SetupError, StoreFault, messageOf } from '../base/faults.ts'
import { version } from '../base/version.ts'
import { accountCommands } from './accounts.ts'
import { auditCommands } from './audit.ts'
import { clientCommands } from './clients.ts'
import { UsageError, type Command } from './command.ts'
import { keyCommands } from './keys.ts'
import { restoreCommands } from './restore.ts'
import { sessionCommands } from './sessions.ts'
import { start } from './start.ts'
import { tenantCommands } from './tenants.ts'
import { tokenCommands } from './token.ts'

const commands: readonly Command[] = [
  start,
  ...accountCommands,
  ...tenantCommands,
  ...sessionCommands,
  ...keyCommands,
  ...restoreCommands,
  ...auditCommands,
  ...tokenCommands,
  ...clientCommands,
]

/** Runs the command line and sets the exit code: 0 done, 1 failed, 2 not understood. */
export async function main(words: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe)
  try {
    await run(words)
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\nSee: countersign --help\n`)
      process.exitCode = 2
      return
    }
    if (error instanceof SetupError || error instanceof StoreFault) {
      process.stderr.write(`${error.message}\n`)
      process.exitCode = 1
      return
    }
    process.stderr.write(`Countersign failed: ${messageOf(error)}\n`)
    if (error instanceof Error && error.stack !== undefined)
      process.stderr.write(`${error.stack}\n`)
    process.exitCode = 1
  }
}

/** Whoever reads has read enough, as in `countersign audit list | head`. The command ends its work. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

async function run(words: readonly string[]): Promise<void> {
  const [first] = words
  if (first === undefined || first === 'help' || words.includes('--help') || words.includes('-h')) {
    process.stdout.write(helpText(words))
    return
  }
  if (first === '--version' || first === 'version') {
    process.stdout.write(`${version}\n`)
    return
  }
  const command = commands.find(({ words: own }) => own.every((word, i) => words[i] === word))
  if (
    command === undefined &&
    words.length === 1 &&
    commands.some((each) => each.words[0] === first)
  ) {
    process.stdout.write(helpText(words))
    return
  }
  if (command === undefined) throw new UsageError(`There is no command "${nameFrom(words)}".`)
  await command.run(parse(command, words.slice(command.words.length)))
}

/** The words that look like a command's name: what follows may be a secret and is not repeated. */
function nameFrom(words: readonly string[]): string {
  return words
    .slice(0, 2)
    .filter((word) => /^[a-z-]{1,20}$/.test(word))
    .join(' ')
}

function parse(command: Command, rest: readonly string[]): Parameters<Command['run']>[0] {
  try {
    const { values, positionals } = parseArgs({
      args: protectIds(rest),
      options: command.options ?? {},
      allowPositionals: true,
    })
    const { min, max } = command.operands
    if (positionals.length < min || positionals.length > max) {
      throw new UsageError(`Usage: countersign ${command.usage}`)
    }
    return { operands: positionals, options: values }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`Usage: countersign ${command.usage}`)
  }
}

/**
 * An identifier is base64url, of 22 characters, a key's of 43, and may begin with a dash: the marker before it
 * says that it is no option. None of ours is so long.
 */
function protectIds(words: readonly string[]): string[] {
  const at = words.findIndex((word) => /^-[\w-]{21}(?:[\w-]{21})?$/.test(word))
  return at === -1 || words.includes('--')
    ? [...words]
    : [...words.slice(0, at), '--', ...words.slice(at)]
}

function helpText(words: readonly string[]): string {
  const group = commands.filter(({ words: own }) => own[0] === words[0])
  const shown = group.length > 0 ? group : commands
  const width = Math.max(...shown.map(({ usage }) => usage.length))
  return [
    `Countersign ${version}: logs people in and signs tokens that any service verifies alone.`,
    '',
    ...shown.map(({ usage, summary }) => `  countersign ${usage.padEnd(width)}  ${summary}`),
    '',
    '--json prints one JSON object a line, for other programs.',
    'Settings come from countersign.config.ts in this directory and from the environment',
    '(PORT, HOST, COUNTERSIGN_DATA_DIR, COUNTERSIGN_PUBLIC_URL, ...); docs/settings.md lists them.',
    '',
  ].join('\n')
}
