import type { SettingsInput } from '../settings-table.ts'
import type { Workbench } from './workbench.ts'

/** A positional argument of a command. */
export interface Operand {
  /** Its name in the usage line: `NAME`. */
  readonly name: string
  readonly text: string
  readonly optional?: true
  /** How many values a command accepts for it. Default: 1. */
  readonly max?: number
}

/** A flag of a command, such as `--json` or `--role ROLE`. */
export interface Flag {
  readonly type: 'string' | 'boolean'
  /** Whether it may be repeated. */
  readonly multiple?: true
  /** Its value in the usage line: `ROLE`. Only with `type: 'string'`. */
  readonly value?: string
  readonly text: string
}

/**
 * One command of the command line. Parsing, help and docs/reference/cli.md follow from it.
 */
export interface Command {
  /** The words of its name: `['accounts', 'create']`. */
  readonly words: readonly string[]
  /** One sentence without a full stop, for lists. Starts with a verb. */
  readonly summary: string
  /** More details, in whole sentences. */
  readonly details?: string
  /** In the order of the command line. Only the last operand may be optional or repeated. */
  readonly operands: readonly Operand[]
  /** The key is the name of the flag without its dashes. */
  readonly flags?: Readonly<Record<string, Flag>>
  /** A working command line, without the word `countersign`. */
  readonly example: string
  run(input: CommandInput): Promise<void>
}

/** The parsed words after the name of a command. */
export interface ParsedWords {
  readonly operands: readonly string[]
  /** The key is the name of the flag. Flags that were not given are missing. */
  readonly options: Readonly<Record<string, unknown>>
}

/** The input of a command: its words, and the parts of the program that it may need. */
export interface CommandInput extends ParsedWords {
  /** The settings that were given as flags. They take precedence over the environment. */
  readonly given: SettingsInput
  /**
   * Opens the database, calls `work`, and closes the database. A server may be running on it. Throws a
   * `SetupError` if there is no database. It loads the store, so commands that only print stay quick.
   */
  readonly withWorkbench: (work: (bench: Workbench) => Promise<void>) => Promise<void>
}

/** The flags that every command accepts. They stand in its help, and not in its usage line. */
export const COMMON_FLAGS = {
  'data-dir': {
    type: 'string',
    value: 'DIR',
    text: 'The directory of the database. Takes precedence over `COUNTERSIGN_DATA_DIR`.',
  },
} as const satisfies Record<string, Flag>

/** The flag `--json` of commands that list something. */
export const JSON_FLAG = {
  json: { type: 'boolean', text: 'Print one JSON object a line, for other programs.' },
} as const satisfies Record<string, Flag>

/** The usage line of a command, without the word `countersign`. */
export function usageOf({ words, operands, flags = {} }: Command): string {
  const positionals = operands.map(({ name, optional, max = 1 }) => {
    const shown = optional === true ? `[${name}]` : name
    return max > 1 ? `${shown}...` : shown
  })
  const options = Object.entries(flags).map(
    ([name, { value, multiple }]) =>
      `[--${name}${value === undefined ? '' : ` ${value}`}]${multiple === true ? '...' : ''}`,
  )
  return [...words, ...positionals, ...options].join(' ')
}
