import { parseArgs, type ParseArgsConfig } from 'node:util'

import { SetupError, StoreFault, messageOf } from '../base/faults.ts'
import { version } from '../base/version.ts'
import { accountCommands } from './accounts.ts'
import { auditCommands } from './audit.ts'
import { clientCommands } from './clients.ts'
import { UsageError, usageOf, type Command } from './command.ts'
import { renderHelp } from './help.ts'
import { keyCommands } from './keys.ts'
import { restoreCommands } from './restore.ts'
import { sessionCommands } from './sessions.ts'
import { start } from './start.ts'
import { tenantCommands } from './tenants.ts'
import { tokenCommands } from './token.ts'

/** All commands, in the order of the help and of docs/reference/cli.md. */
export const commands: readonly Command[] = [
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

/**
 * Runs the command line and sets the exit code: 0 if the command succeeded, 1 if it failed, 2 if the command
 * line is not valid. Never throws.
 */
export async function main(words: readonly string[]): Promise<void> {
  // Nobody could read a message about standard error.
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => noteLostOutput(error, words))
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

/**
 * A command whose output cannot be written has failed. A closed pipe is not an error: `countersign audit list |
 * head` reads only the first lines. The server continues, because its output is only a welcome.
 */
function noteLostOutput(error: NodeJS.ErrnoException, [command]: readonly string[]): void {
  if (error.code === 'EPIPE' || command === 'start') return
  process.exitCode = 1
  process.stderr.write(`The output could not be written: ${messageOf(error)}.\n`)
}

async function run(words: readonly string[]): Promise<void> {
  const [first] = words
  if (first === undefined || first === 'help' || words.includes('--help') || words.includes('-h')) {
    process.stdout.write(renderHelp(commands, words))
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
    process.stdout.write(renderHelp(commands, words))
    return
  }
  if (command === undefined) throw new UsageError(`There is no command "${nameFrom(words)}".`)
  await command.run(parse(command, words.slice(command.words.length)))
}

/**
 * Returns the words that look like the name of a command. Other words may be secrets and are never printed.
 */
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
      options: parseOptionsOf(command),
      allowPositionals: true,
    })
    const countMin = command.operands.filter(({ optional }) => optional !== true).length
    const countMax = command.operands.reduce((sum, { max = 1 }) => sum + max, 0)
    if (positionals.length < countMin || positionals.length > countMax) {
      throw new UsageError(`Usage: countersign ${usageOf(command)}`)
    }
    return { operands: positionals, options: values }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`Usage: countersign ${usageOf(command)}`)
  }
}

function parseOptionsOf({ flags = {} }: Command): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
  )
}

/**
 * Puts `--` in front of an id that begins with a dash, so that it is not read as a flag. Ids have 22
 * base64url characters, and ids of keys have 43. No flag is that long.
 */
function protectIds(words: readonly string[]): string[] {
  const at = words.findIndex((word) => /^-[\w-]{21}(?:[\w-]{21})?$/.test(word))
  return at === -1 || words.includes('--')
    ? [...words]
    : [...words.slice(0, at), '--', ...words.slice(at)]
}
