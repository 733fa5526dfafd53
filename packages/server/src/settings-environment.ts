import { findClosest } from './base/closest.ts'
import { SetupError } from './base/faults.ts'
import { stripByteOrderMark } from './base/text-file.ts'
import { table, type SettingName, type SettingsInput } from './settings-table.ts'

/** Reads the settings from environment variables, which other programs set too. */

const PREFIX = 'COUNTERSIGN_'
/** Names of settings that other programs use too. */
const SHARED = ['DATABASE_URL', 'REDIS_URL']

const keys = new Map((Object.keys(table) as SettingName[]).map((key) => [table[key].env, key]))

/**
 * Reads the settings from the environment. White space around a value is removed: a file with the line endings
 * of Windows leaves a carriage return at the end of each value. An empty variable counts as not set.
 *
 * Other names are ignored. A name that is close to the name of a setting is probably misspelled, so it is kept,
 * and `parseSettings` reports it.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv): SettingsInput {
  const input: Record<string, string> = {}
  for (const [name, raw = ''] of Object.entries(environment)) {
    const value = raw.trim()
    const key = keys.get(name)
    if (key !== undefined && value !== '') input[key] = value
    const isMistake = key === undefined && !isServiceLink(name, value)
    if (isMistake && findMeantVariable(name) !== undefined) input[name] = value
  }
  return input
}

/**
 * Whether Kubernetes or Docker set this variable, for a service or container whose name begins with
 * `countersign`.
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT(?:_\w+)?)$/.test(name) ||
    /_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(value))
  )
}

/**
 * Returns the environment variable that a misspelled name probably means. The prefix or the rest can be
 * misspelled, not both.
 */
export function findMeantVariable(name: string): string | undefined {
  // A byte order mark stands in front of the first name in a file.
  const plain = stripByteOrderMark(name)
  if (plain !== name && (keys.has(plain) || plain === 'NODE_ENV')) return plain
  if (keys.has(name)) return undefined
  const upper = plain.toUpperCase()
  if (!upper.startsWith(PREFIX)) {
    // Other programs have variables such as DATABASE_URI.
    const shared = upper.endsWith('_URL') && findClosest(upper, SHARED)
    if (shared) return shared
    return [...keys.keys()].find((known) => {
      const rest = known.slice(PREFIX.length)
      const isOurs = known.startsWith(PREFIX) && upper.endsWith(rest)
      return isOurs && findClosest(upper.slice(0, -rest.length), [PREFIX]) !== undefined
    })
  }
  const byRest = new Map([...keys.keys()].map((known) => [known.replace(PREFIX, ''), known]))
  const rest = findClosest(upper.slice(PREFIX.length), byRest.keys())
  return rest === undefined ? undefined : byRest.get(rest)
}

/** Returns the setting that a misspelled name in a file or a program probably means. */
export function findMeantOption(name: string): SettingName | undefined {
  return keys.get(name) ?? (findClosest(name, Object.keys(table)) as SettingName | undefined)
}

/**
 * Whether NODE_ENV is `production`. Throws a `SetupError` for values that only look like it. They would
 * silently start a development server, which prints passwords.
 */
export function isProduction(environment: NodeJS.ProcessEnv): boolean {
  const value = (environment['NODE_ENV'] ?? '').trim()
  if (value !== 'production' && /^["']?production\b/i.test(value)) {
    throw new SetupError(
      `NODE_ENV is ${JSON.stringify(value)}. Set it to production, without quotes. ${COMMENT_ADVICE}`,
    )
  }
  return value === 'production'
}

/** How a comment got into a value. */
export const COMMENT_ADVICE =
  'systemd and Docker keep a comment that follows a value: put comments on lines of their own.'
