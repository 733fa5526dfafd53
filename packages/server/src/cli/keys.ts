import { withWorkbench, type Command } from './command.ts'
import { formatTime, printRows } from './print.ts'

const list: Command = {
  words: ['keys', 'list'],
  usage: 'keys list [--json]',
  summary: 'the signing keys and their states, never their secrets',
  operands: { min: 0, max: 0 },
  options: { json: { type: 'boolean' } },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async ({ store }) => {
      const rows = (await store.keys.list()).map((key) => ({
        kid: key.kid,
        use: key.use,
        algorithm: key.alg,
        state: key.state,
        created: formatTime(key.createdAt),
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No keys yet.' })
    }),
}

export const keyCommands: readonly Command[] = [list]
