import { version } from '../base/version.ts'
import { COMMON_FLAGS, usageOf, type Command, type Flag } from './command.ts'

/**
 * Returns the help for these words: for one command, for a group such as `accounts`, or the list of all
 * commands.
 */
export async function renderHelp(
  commands: readonly Command[],
  words: readonly string[],
): Promise<string> {
  const named = words.filter((word) => !word.startsWith('-'))
  const command = commands.find(({ words: own }) => own.every((word, i) => named[i] === word))
  const group = commands.filter(({ words: own }) => named.every((word, i) => own[i] === word))
  return [
    `Countersign ${version}: logs people in and signs tokens that services verify locally.`,
    '',
    ...(command === undefined
      ? renderList(group.length > 0 ? group : commands)
      : await renderCommand(command)),
    '',
  ].join('\n')
}

function renderList(shown: readonly Command[]): string[] {
  const usages = shown.map((command) => usageOf({ ...command, flags: {} }))
  const width = Math.max(...usages.map((usage) => usage.length))
  return [
    ...shown.map(({ summary }, i) => `  countersign ${usages[i]!.padEnd(width)}  ${summary}`),
    '',
    'countersign COMMAND --help explains a command.',
    '--json prints one JSON object a line, for other programs.',
    '--data-dir DIR names the directory of the database, for every command.',
    'Settings come from the environment and from countersign.config.ts in this directory.',
    'countersign start --help lists them.',
  ]
}

async function renderCommand(command: Command): Promise<string[]> {
  const flags = Object.entries({ ...command.flags, ...COMMON_FLAGS }).map(
    ([name, { value, text }]: [string, Flag]) =>
      [value === undefined ? `--${name}` : `--${name} ${value}`, text] as const,
  )
  const rows = [...command.operands.map(({ name, text }) => [name, text] as const), ...flags]
  return [
    `Usage: countersign ${usageOf(command)}`,
    '',
    `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`,
    ...(command.details === undefined ? [] : wrap(command.details)),
    ...(rows.length === 0 ? [] : ['', ...renderRows(rows)]),
    '',
    `Example: countersign ${command.example}`,
    ...(command.words[0] === 'start' ? ['', 'Settings:', '', ...(await renderSettings())] : []),
  ]
}

async function renderSettings(): Promise<string[]> {
  const { describeSettings } = await import('../settings-table.ts')
  return renderRows(
    describeSettings().map(({ env, values, fallback }) => [
      env,
      fallback === undefined ? values : `${values} (default: ${fallback})`,
    ]),
  )
}

function renderRows(rows: readonly (readonly [name: string, text: string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.flatMap(([name, text]) =>
    wrap(text).map((line, i) => `  ${(i === 0 ? name : '').padEnd(width)}  ${line}`),
  )
}

const LINE_CHARS_MAX = 80

/** Breaks Markdown into lines for a terminal, and removes the backquotes. */
function wrap(text: string): string[] {
  const lines: string[] = []
  for (const word of text.replaceAll('`', '').split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length >= LINE_CHARS_MAX) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
