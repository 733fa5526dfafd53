import type { Logger } from 'pino'

import type { Authority } from '../authority.ts'
import { SetupError } from '../base/faults.ts'
import { limits } from '../base/limits.ts'
import { createLogger, flushLogger } from '../base/logger.ts'
import { createSystemRandom } from '../base/random.ts'
import { version } from '../base/version.ts'
import type { SettingsInput } from '../settings-table.ts'
import type { Command } from './command.ts'
import { print } from './print.ts'
import { UsageError } from './usage-error.ts'
import { WORKERS_MAX, leaveMain, reportReady, runWorkers, workerNumber } from './workers.ts'

/** `countersign start`: runs the server until a signal stops it. */
export const start: Command = {
  words: ['start'],
  summary: 'run the server',
  details:
    'An empty database gets one account with the role `admin`. SIGTERM, SIGINT, SIGHUP, SIGQUIT or SIGUSR2 stops the server after the requests in progress. A second SIGTERM or SIGINT stops it at once, with exit code 1.',
  operands: [],
  flags: {
    port: { type: 'string', value: 'PORT', text: 'The port. Takes precedence over `PORT`.' },
    workers: {
      type: 'string',
      value: 'N',
      text: `Run N processes that share the port, to use N processor cores: 1 to ${WORKERS_MAX}. More than one needs \`DATABASE_URL\`.`,
    },
  },
  example: 'start --port 8001 --data-dir ./data',
  async run({ given, options }) {
    const count = readWorkers(options['workers'])
    if (count === 1 || workerNumber() !== undefined) return runServer(given)
    const [{ loadInput }, { assertPortFree }] = await Promise.all([
      import('./load-settings.ts'),
      import('../http/listeners.ts'),
    ])
    const { input, settings } = await loadInput(given)
    if (settings.databaseUrl === undefined) {
      throw new SetupError(
        '--workers needs PostgreSQL, because the embedded database has one server process. Set DATABASE_URL, or start without --workers.',
      )
    }
    const logger = loggerOf(input, settings.logLevel)
    const stopped = untilStopped()
    // Otherwise each worker would say it.
    await assertPortFree(settings)
    await runWorkers({ count, logger, stopped })
    await endLog(logger)
  },
}

/** Runs one server in this process. */
async function runServer(given: SettingsInput): Promise<void> {
  leaveMain()
  // Loaded here, so that the help of this command does not wait for the server.
  const { prepareThread } = await import('../store/thread/pool.ts')
  // The embedded database needs it, whose URL is not set.
  if (!process.env['DATABASE_URL']?.trim()) prepareThread()
  const [{ createAuthority }, { serve }, { loadInput }] = await Promise.all([
    import('../authority.ts'),
    import('../http/serve.ts'),
    import('./load-settings.ts'),
  ])
  const { input, settings } = await loadInput(given)
  const authority = await createAuthority(withWorker(input, settings.logLevel))
  try {
    // Registered first, because another process may send a signal as soon as the server runs.
    const stopped = untilStopped()
    const { port, host, keepAliveMs } = authority.settings
    const firstAccount = await createFirstAccount(authority)
    const server = await serve({
      fetch: (request, context) => authority.fetch(request, context),
      feed: authority.feed,
      port,
      host,
      keepAliveMs,
    }).catch((error: unknown) => {
      // Printed also if the start failed: the account exists, and the next start cannot print its password.
      printFirstAccount(firstAccount)
      throw error
    })
    if ((workerNumber() ?? 1) === 1) {
      const hasAccounts = firstAccount !== undefined || (await authority.accounts.count()) > 0
      printWelcome(authority, hasAccounts, firstAccount)
    }
    authority.logger.info({ event: 'started', version, url: authority.settings.publicUrl })
    reportReady()
    await stopped
    authority.logger.info({ event: 'stopping' })
    await server.close()
  } finally {
    await authority.close()
  }
  authority.logger.info({ event: 'stopped' })
  await endLog(authority.logger)
}

/** Lines for a reader that reads nothing would keep the process alive. */
async function endLog(logger: Logger): Promise<void> {
  if (!(await flushLogger(logger, limits.logFlushMs))) process.exit()
}

/** In a worker, each line of the log names the worker. */
function withWorker(input: SettingsInput, logLevel: string): SettingsInput {
  const worker = workerNumber()
  if (worker === undefined) return input
  return Object.assign({}, input, { logger: loggerOf(input, logLevel).child({ worker }) })
}

/** Returns the logger of the configuration file, otherwise a new one. */
function loggerOf(input: SettingsInput, logLevel: string): Logger {
  return 'logger' in input ? (input.logger as Logger) : createLogger(logLevel)
}

function readWorkers(given: unknown): number {
  if (given === undefined) return 1
  const count = typeof given === 'string' && /^\d{1,3}$/.test(given) ? Number(given) : 0
  if (count >= 1 && count <= WORKERS_MAX) return count
  throw new UsageError(`--workers must be a number from 1 to ${WORKERS_MAX}.`, ['start'])
}

interface FirstAccount {
  readonly username: string
  /** Undefined if the operator set the password. */
  readonly generatedPassword: string | undefined
}

/** Creates one admin account in an empty database. In production the operator must set its password. */
async function createFirstAccount({
  accounts,
  settings,
}: Authority): Promise<FirstAccount | undefined> {
  if ((await accounts.count()) > 0) return undefined
  const { username, password: given } = settings.admin
  // The output of a production server goes to logs, which must not contain passwords.
  if (given === undefined && settings.production) return undefined
  const generatedPassword =
    given === undefined ? createSystemRandom().bytes(15).toString('base64url') : undefined
  const created = await accounts.create(
    { username, password: given ?? generatedPassword ?? '', roles: ['admin'] },
    'system',
  )
  if (!created.ok) {
    // Another node that started at the same moment has created it.
    if ((await accounts.count()) > 0) return undefined
    throw new SetupError(
      `COUNTERSIGN_ADMIN_USERNAME or COUNTERSIGN_ADMIN_PASSWORD: ${created.text}`,
    )
  }
  return { username, generatedPassword }
}

/** Names the database without its password. */
function nameDatabase({ databaseUrl, dataDir }: Authority['settings']): string {
  if (databaseUrl === undefined) return dataDir
  const { host, pathname } = new URL(databaseUrl)
  return `PostgreSQL ${host}${pathname}`
}

function printWelcome({ settings }: Authority, hasAccounts: boolean, first?: FirstAccount): void {
  // The commands below are for a terminal on this machine, which may not reach the public URL.
  const { publicUrl, host, port, production, http } = settings
  const url = isLocal(publicUrl) ? publicUrl : `http://${host}:${port}`
  print(`Countersign ${version} is running at ${url} (data in ${nameDatabase(settings)})`)
  if (url !== publicUrl) print(`Its public URL is ${publicUrl}`)
  printFirstAccount(first)
  if (!hasAccounts) {
    print('')
    print('There is no account yet. Create one: countersign accounts create NAME --role admin')
  }
  if (production) return
  const username = first?.username ?? settings.admin.username
  const password = first?.generatedPassword ?? 'PASSWORD'
  print('')
  print('Try next, in another terminal:')
  print('')
  print(`  # log in: returns an access token and a refresh token`)
  print(
    `  curl -s ${url}/api/token/ -d ${http.usernameField}=${username} --data-urlencode 'password=${password}'`,
  )
  print('')
  print(`  # show the account: replace ACCESS with the access token`)
  print(`  curl -s ${url}/auth/me -H 'Authorization: Bearer ACCESS'`)
  print('')
  print(`  # refresh: replace REFRESH with the refresh token`)
  print(`  curl -s ${url}/api/token/refresh/ -d refresh=REFRESH`)
  print('')
  print(`  # log out: ends the session`)
  print(`  curl -s ${url}/api/token/blacklist/ -d refresh=REFRESH`)
  print('')
}

function isLocal(url: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname)
}

function printFirstAccount(first: FirstAccount | undefined): void {
  if (first === undefined) return
  print('')
  print(`  First account: ${first.username}`)
  if (first.generatedPassword !== undefined) {
    print(`  Its password:  ${first.generatedPassword}   (shown only once)`)
  }
}

// The signals that end a program unless it listens to them. Terminals, supervisors and `nodemon` send them.
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of STOPPING) process.on(signal, () => resolve())
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // A second signal stops the server at once. A closed terminal sends SIGHUP several times.
      process.once(signal, () => process.once(signal, () => process.exit(1)))
    }
  })
}
