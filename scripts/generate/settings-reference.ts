import { describeSettings } from '../../packages/server/src/settings-table.ts'
import { code, generatedNotice, renderTable } from '../lib/markdown.ts'

/** docs/reference/settings.md, from packages/server/src/settings-table.ts. */

export const path = 'docs/reference/settings.md'

/** The page. */
export function render(): string {
  const rows = describeSettings().map(({ env, name, values, fallback, describe }) => [
    `${code(env)}<br>${code(name)}`,
    values,
    fallback === undefined ? '' : breakable(fallback),
    describe,
  ])
  return `# Settings

${generatedNotice('packages/server/src/settings-table.ts')}

The authority reads its settings from the environment and from \`countersign.config.ts\` (or \`.mjs\`, \`.js\`) in the
directory where it starts. The environment takes precedence.

\`createAuthority\` takes the same names as the file. It reads neither \`countersign.config.ts\` nor the environment, except
\`NODE_ENV\`. Pass each value yourself, for example \`secret: process.env['COUNTERSIGN_SECRET']\`.

\`\`\`ts
// countersign.config.ts
export default {
  publicUrl: 'https://auth.example.com',
  accessLifetime: '10m',
}
\`\`\`

- A time is a whole number and a unit: \`90s\`, \`5m\`, \`12h\`, \`14d\`.
- An empty environment variable counts as not set. White space around a value is removed.
- The authority does not start with an invalid value. It reports all mistakes at once, and shows no value that can be a
  secret.
- An environment variable with a name that is close to a setting is reported as misspelled. Other names are ignored, for
  example those that Kubernetes sets for a service (\`COUNTERSIGN_SERVICE_HOST\`). A file or a program may only use names of
  this page.
- The file can be an ES module also in a CommonJS package, or use \`module.exports\`.
- \`NODE_ENV=production\` requires a secret and an https public URL. It prints no password, and creates the first account
  only when its password is set.
- \`countersign start --help\` lists the settings in a terminal.

Each row has the name in the environment, and below it the name in the file.

${renderTable(['Setting', 'Values', 'Default', 'Meaning'], rows)}
`
}

/** Returns a default with commas as several pieces, between which a table may break the line. */
function breakable(text: string): string {
  return text.split(',').map(code).join(', ')
}
