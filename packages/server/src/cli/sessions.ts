import { SetupError } from '../base/faults.ts'
import { systemClock } from '../base/clock.ts'
import { JSON_FLAG, withWorkbench, type Command } from './command.ts'
import { print, printRows } from './print.ts'
import { accountIdOf, LISTING_FLAGS, readLimit } from './options.ts'

const list: Command = {
  words: ['sessions', 'list'],
  summary: 'list sessions, newest first',
  details:
    'The state of a session is `live`, `ended` or `over`. `ended` means that this session itself was ended, for example by a logout or a copied token. `over` means that it expired, or that it ended together with its account or tenant.',
  operands: [],
  flags: { ...LISTING_FLAGS, ...JSON_FLAG },
  example: 'sessions list --account alice',
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
      printRows(rows, { json: options['json'] === true, empty: 'There are no sessions.' })
    }),
}

const end: Command = {
  words: ['sessions', 'end'],
  summary: 'end one session',
  details: 'Guards with the revocation feed reject its access tokens within a second.',
  operands: [{ name: 'ID', text: 'The id of the session, as `sessions list` shows it.' }],
  example: 'sessions end Zm9vYmFyYmF6cXV4MTIzNA',
  run: ({ operands: [sessionId = ''] }) =>
    withWorkbench({ createsData: false }, async ({ store, actor }) => {
      const change = await store.sessions.end(
        sessionId,
        { event: 'session_ended' },
        { at: systemClock.nowMs(), actor },
      )
      if (change === 'unknown') {
        throw new SetupError('There is no session with this id. See: countersign sessions list')
      }
      print(change === 'changed' ? 'The session has ended.' : 'The session had already ended.')
    }),
}

/** The commands `countersign sessions ...`. */
export const sessionCommands: readonly Command[] = [list, end]
