import { JSON_FLAG, type Command } from './command.ts'
import { accountIdOf, LISTING_FLAGS, readLimit } from './options.ts'
import { printRows } from './print.ts'

const list: Command = {
  words: ['audit', 'list'],
  summary: 'list what happened to accounts, sessions and keys, newest first',
  details: 'To list the entries of a deleted account, give its id.',
  operands: [],
  flags: { ...LISTING_FLAGS, ...JSON_FLAG },
  example: 'audit list --account alice --limit 20',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async (bench) => {
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
      printRows(rows, { json: options['json'] === true, empty: 'The audit has no entries.' })
    }),
}

/** The commands `countersign audit ...`. */
export const auditCommands: readonly Command[] = [list]
