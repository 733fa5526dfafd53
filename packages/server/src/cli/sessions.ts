import { SetupError } from '../base/faults.ts'
import { systemClock } from '../base/clock.ts'
import { withWorkbench, type Command } from './command.ts'
import { print, printRows } from './print.ts'
import { accountIdOf, readLimit } from './options.ts'

const list: Command = {
  words: ['sessions', 'list'],
  usage: 'sessions list [--account NAME|ID] [--limit N] [--json]',
  summary: 'sessions, the newest first',
  operands: { min: 0, max: 0 },
  options: {
    account: { type: 'string' },
    limit: { type: 'string' },
    json: { type: 'boolean' },
  },
  run: ({ options }) =>
    withWorkbench({ createsData: false }, async (bench) => {
      const sessions = await bench.store.sessions.list({
        accountId: await accountIdOf(bench, options['account']),
        limit: readLimit(options['limit']),
      })
      const rows = sessions.map((session) => ({
        id: session.id,
        username: session.username,
        state: session.live ? 'live' : session.endedAt === undefined ? 'over' : 'ended',
        created: new Date(session.createdAt),
        last_used: new Date(session.rotatedAt),
        refreshes: session.generation,
        address: session.address,
        user_agent: session.userAgent,
      }))
      printRows(rows, { json: options['json'] === true, empty: 'No sessions.' })
    }),
}

const end: Command = {
  words: ['sessions', 'end'],
  usage: 'sessions end ID',
  summary: 'end one session',
  operands: { min: 1, max: 1 },
  run: ({ operands: [sessionId = ''] }) =>
    withWorkbench({ createsData: false }, async ({ store, actor }) => {
      const change = await store.sessions.end(
        sessionId,
        { event: 'session_ended' },
        { at: systemClock.nowMs(), actor },
      )
      if (change === 'unknown') throw new SetupError('There is no such session.')
      print(change === 'changed' ? 'The session is ended.' : 'The session had ended already.')
    }),
}

export const sessionCommands: readonly Command[] = [list, end]
