import { SetupError, StoreFault, messageOf } from '../base/faults.ts'
import { version } from '../base/version.ts'
import type { Command } from './command.ts'
import { UsageError } from './usage-error.ts'
import { findCommand } from './find-command.ts'
import { loadCommands } from './groups.ts'
import { parseWords, settingsOf } from './parse-words.ts'

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
      const help = ['countersign', ...error.words, '--help'].join(' ')
      process.stderr.write(`${error.message}\nSee: ${help}\n`)
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
    await printHelp(first === 'help' ? words.slice(1) : words)
    return
  }
  if (first === '--version' || first === 'version') {
    process.stdout.write(`${version}\n`)
    return
  }
  if (first.startsWith('-')) throw new UsageError('A command comes before its flags.')
  const commands = await loadCommands(first)
  const found = findCommand(commands, words)
  switch (found.kind) {
    case 'command':
      return runCommand(found.command, words)
    case 'group':
      return printHelp(words)
    case 'unknown': {
      const hint = found.meant === undefined ? '' : ` Did you mean "${found.meant}"?`
      const isGroup = commands.every(({ words: [own] }) => own === first)
      throw new UsageError(
        `There is no command "${nameFrom(words)}".${hint}`,
        isGroup ? [first] : [],
      )
    }
  }
}

async function runCommand(command: Command, words: readonly string[]): Promise<void> {
  const parsed = parseWords(command, words.slice(command.words.length))
  const given = settingsOf(parsed)
  await command.run({
    ...parsed,
    given,
    withWorkbench: async (work) => (await import('./workbench.ts')).withWorkbench(given, work),
  })
}

async function printHelp(words: readonly string[]): Promise<void> {
  const { renderHelp } = await import('./help.ts')
  process.stdout.write(await renderHelp(await loadCommands(words[0]), words))
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
