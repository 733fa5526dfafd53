import { parseArgs } from 'node:util'

import type { SettingsInput } from '../settings-table.ts'
import { closest } from './closest.ts'
import { COMMON_FLAGS, usageOf, type Command, type Flag, type ParsedWords } from './command.ts'
import { UsageError } from './usage-error.ts'

/**
 * Parses the words after the name of a command. Throws a `UsageError` that names the wrong flag, or the operand
 * that is missing. It never repeats a value, which may be a password in the wrong place.
 */
export function parseWords(command: Command, rest: readonly string[]): ParsedWords {
  const flags: Readonly<Record<string, Flag>> = { ...command.flags, ...COMMON_FLAGS }
  const { values, positionals, tokens } = parseArgs({
    args: protectIds(rest),
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
    ),
    allowPositionals: true,
    // Unknown flags are reported below, by name.
    strict: false,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const problem = problemOf(token, flags)
    if (problem !== undefined) throw wrong(problem, command)
  }
  checkCount(positionals, command)
  return { operands: positionals, options: values }
}

/** The settings that the flags of a command line choose. */
export function settingsOf({ options }: ParsedWords): SettingsInput {
  const { port, 'data-dir': dataDir } = options
  return {
    ...(typeof port === 'string' ? { port } : {}),
    ...(typeof dataDir === 'string' ? { dataDir } : {}),
  }
}

interface GivenFlag {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function problemOf(
  { name, rawName, value, inlineValue }: GivenFlag,
  flags: Readonly<Record<string, Flag>>,
): string | undefined {
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
  if (flag === undefined) {
    const meant = closest(name, Object.keys(flags))
    const hint = meant === undefined ? '' : ` Did you mean --${meant}?`
    return `There is no flag ${isName(rawName) ? rawName : 'with this name'} here.${hint}`
  }
  if (flag.type === 'boolean') {
    return inlineValue === true ? `--${name} takes no value.` : undefined
  }
  // `--role --json` is a forgotten value, not a role named "--json".
  const isForgotten = value === undefined || (inlineValue !== true && value.startsWith('-'))
  return isForgotten
    ? `--${name} needs a value: --${name} ${flag.value}. If the value begins with a dash, write --${name}=VALUE.`
    : undefined
}

/** Whether a text is surely the name of a flag. Everything else may be a secret, and is not repeated. */
function isName(text: string): boolean {
  return /^--[a-z]+(?:-[a-z]+)*$/.test(text) && text.length <= 32
}

function checkCount(positionals: readonly string[], command: Command): void {
  const { operands } = command
  const countMax = operands.reduce((sum, { max = 1 }) => sum + max, 0)
  const missing = operands.filter(({ optional }) => optional !== true)[positionals.length]
  if (missing !== undefined) throw wrong(`The argument ${missing.name} is missing.`, command)
  if (positionals.length > countMax) {
    throw wrong(
      countMax === 0
        ? 'This command takes no arguments.'
        : `This command takes at most ${countMax} argument${countMax === 1 ? '' : 's'}.`,
      command,
    )
  }
}

function wrong(problem: string, command: Command): UsageError {
  return new UsageError(`${problem}\nUsage: countersign ${usageOf(command)}`, command.words)
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
