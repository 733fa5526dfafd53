import { SetupError } from '../base/faults.ts'
import { systemClock } from '../base/clock.ts'
import { JSON_FLAG, type Command } from './command.ts'
import { UsageError } from './usage-error.ts'
import { print, printRows } from './print.ts'
import { accountIdOf, LISTING_FLAGS, readLimit } from './options.ts'
import type { Workbench } from './workbench.ts'

const list: Command = {
  words: ['sessions', 'list'],
  summary: 'list sessions, newest first',
  details:
    'The state of a session is `live`, `ended` or `over`. `ended` means that this session itself was ended, for example by a logout or a copied token. `over` means that it expired, or that it ended together with its account or tenant.',
  operands: [],
  flags: { ...LISTING_FLAGS, ...JSON_FLAG },
  example: 'sessions list --account alice',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async (bench) => {
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
  summary: 'end one session, or all sessions of an account',
  details:
    'Guards with the revocation feed reject the access tokens within a second. Give an ID or `--account`, not both.',
  operands: [
    { name: 'ID', text: 'The id of the session, as `sessions list` shows it.', optional: true },
  ],
  flags: {
    account: {
      type: 'string',
      value: 'NAME|ID',
      text: 'End all sessions of this account, given by username or id. It can log in again.',
    },
  },
  example: 'sessions end --account alice',
  run: ({ operands: [sessionId], options, withWorkbench }) => {
    if ((sessionId === undefined) === (options['account'] === undefined)) {
      throw new UsageError('Give the id of one session, or --account NAME.', end.words)
    }
    return withWorkbench((bench) =>
      sessionId === undefined ? endAll(bench, options['account']) : endOne(bench, sessionId),
    )
  },
}

async function endOne({ store, actor }: Workbench, sessionId: string): Promise<void> {
  const change = await store.sessions.end(
    sessionId,
    { event: 'session_ended' },
    { at: systemClock.nowMs(), actor },
  )
  if (change === 'unknown') {
    throw new SetupError('There is no session with this id. See: countersign sessions list')
  }
  print(change === 'changed' ? 'The session has ended.' : 'The session had already ended.')
}

async function endAll(bench: Workbench, name: unknown): Promise<void> {
  const { store, actor } = bench
  const accountId = await accountIdOf(bench, name)
  if (accountId === undefined) return
  const context = { at: systemClock.nowMs(), actor }
  const change = await store.accounts.endSessions(accountId, undefined, context)
  if (change === 'unknown') throw new SetupError(`There is no account "${String(name)}".`)
  print(`Account ${String(name)}: all its sessions have ended.`)
}

/** The commands `countersign sessions ...`. */
export const sessionCommands: readonly Command[] = [list, end]
