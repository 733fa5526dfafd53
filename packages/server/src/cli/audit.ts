import { withWorkbench, type Command } from './command.ts'
import { accountIdOf, readLimit } from './options.ts'
import { printRows } from './print.ts'

const list: Command = {
  words: ['audit', 'list'],
  usage: 'audit list [--account NAME|ID] [--limit N] [--json]',
  summary: 'what happened to accounts, sessions and keys, the newest first',
  operands: { min: 0, max: 0 },
  options: {
    account: { type: 'string' },
    limit: { type: 'string' },
    json: { type: 'boolean' },
  },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async (bench) => {
      const entries = await bench.store.audit.list({
        accountId: await accountIdOf(bench, options['account']),
        limit: readLimit(options['limit']),
      })
      const rows = entries.map((entry) => ({
        id: entry.id,
        time: new Date(entry.at),
        event: entry.event,
        outcome: entry.outcome,
        detail: entry.detail,
        actor: entry.actor,
        account: entry.accountId,
        session: entry.sessionId,
        address: entry.address,
      }))
      printRows(rows, { json: options['json'] === true, empty: 'Nothing happened yet.' })
    }),
}

export const auditCommands: readonly Command[] = [list]
