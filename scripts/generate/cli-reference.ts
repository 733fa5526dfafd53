import { usageOf, type Command } from '../../packages/server/src/cli/command.ts'
import { loadCommands } from '../../packages/server/src/cli/groups.ts'
import { groupBy } from '../lib/group-by.ts'
import { code, generatedNotice, renderTable } from '../lib/markdown.ts'

/** docs/reference/cli.md, from the commands in packages/server/src/cli. */

export const path = 'docs/reference/cli.md'

/** The page. */
export async function render(): Promise<string> {
  const commands = await loadCommands(undefined)
  const groups = groupBy(commands, ({ words }) => words[0] ?? '')
  return `# Command line

${generatedNotice('packages/server/src/cli')}

In this repository run commands with \`npm run countersign -- COMMAND\`. Where the package is installed, run
\`npx countersign COMMAND\`.

- A command works while the server runs: it opens the same database, and the server applies each change at once.
- Commands read the same [settings](settings.md) as the server. Run them in the directory of the server, or set
  \`COUNTERSIGN_DATA_DIR\`. Every command also has the flag \`--data-dir DIR\`, which takes precedence.
- Only \`start\`, \`restore\` and \`migrate\` create a database. Other commands fail in a directory without one.
- Output has colours only on a terminal. \`NO_COLOR=1\` turns them off, and \`FORCE_COLOR=1\` turns them on.
- \`--json\` prints one JSON object a line, with times in the form of RFC 3339.
- The audit records each change, with \`cli:USER\` as the actor.
- \`countersign COMMAND --help\` explains a command, and \`countersign --version\` prints the version.

${renderTable(
  ['Exit code', 'Meaning'],
  [
    ['0', 'The command succeeded, also if nothing had to change.'],
    ['1', 'The command failed. Standard error shows why. `token inspect`: the token is rejected.'],
    ['2', 'The command line was not understood. Standard error shows the usage.'],
    ['3', 'Only `migrate --check`: an upgrade of the schema is pending.'],
  ],
)}

${[...groups].map(([name, group]) => renderGroup(name, group)).join('\n')}`
}

function renderGroup(name: string, group: readonly Command[]): string {
  // A group of one command with the same name needs one heading.
  if (group.length === 1 && group[0]?.words.length === 1) {
    return renderCommand(group[0]).replace(/^#/, '')
  }
  return `## ${name}\n\n${group.map(renderCommand).join('\n')}`
}

function renderCommand(command: Command): string {
  const { words, summary, details, operands, flags = {}, example } = command
  const rows = [
    ...operands.map(({ name, text, optional, max = 1 }) => [
      code(name),
      text + (optional === true ? ' Optional.' : '') + (max > 1 ? ` At most ${max}.` : ''),
    ]),
    ...Object.entries(flags).map(([name, { value, text }]) => [
      code(value === undefined ? `--${name}` : `--${name} ${value}`),
      text,
    ]),
  ]
  const text = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`
  return `### ${words.join(' ')}

\`\`\`
countersign ${usageOf(command)}
\`\`\`

${details === undefined ? text : `${text} ${details}`}
${rows.length === 0 ? '' : `\n${renderTable(['Argument', 'Meaning'], rows)}\n`}
Example: \`countersign ${example}\`
`
}
