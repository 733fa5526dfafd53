/** How to reach a Redis or Valkey. Made from `REDIS_URL`. It may contain passwords. */
export interface RedisAddress {
  /** One server, a primary that Sentinels know, or a cluster. */
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** The server, the Sentinels, or some nodes of the cluster. At least one. */
  readonly hosts: readonly RedisHost[]
  readonly isTls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  /** The name under which the Sentinels know the primary. Only with Sentinels. */
  readonly name: string | undefined
  readonly database: number
  readonly sentinelUsername: string | undefined
  readonly sentinelPassword: string | undefined
  /** The version of the protocol of Redis (RESP). */
  readonly protocol: 2 | 3
}

/** The address of one server. */
export interface RedisHost {
  readonly host: string
  readonly port: number
}

/** A URL that cannot be used. `problem` says why, without any part of the URL. */
export interface RedisUrlProblem {
  readonly problem: string
}

const PORTS = { single: 6379, sentinel: 26379, cluster: 6379 } as const
const PARAMETERS: ReadonlySet<string> = new Set([
  'protocol',
  'sentinel_username',
  'sentinel_password',
])

const GENERAL =
  'must be a URL such as redis://127.0.0.1:6379/0, redis+sentinel://HOST:26379,HOST:26379/NAME or redis+cluster://HOST:6379,HOST:6379, or with rediss instead of redis for TLS'
const NO_NAME =
  'must have the name of the primary after the Sentinels: redis+sentinel://HOST:26379,HOST:26379/NAME'
const NO_DATABASE =
  'must have no database number with redis+cluster://, because a cluster has only database 0'
const WRONG_DATABASE = 'must have a whole number as the database, such as /0'
const WRONG_PARAMETER =
  'may only have the parameters protocol=2 or protocol=3, and with Sentinels sentinel_username and sentinel_password'
const WRONG_PASSWORD =
  'must have a password after the username, as in redis://USER:PASSWORD@HOST, with special characters percent-encoded'

const FORM =
  /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const HOST = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i

/**
 * Reads the URL of a Redis. The forms are those of most clients: `redis://`, and `redis+sentinel://` and
 * `redis+cluster://` with several hosts. `rediss` instead of `redis` means TLS.
 */
export function parseRedisUrl(text: string): RedisAddress | RedisUrlProblem {
  const [, scheme, suffix, userInfo, hostList = '', path = '', query = ''] = FORM.exec(text) ?? []
  const kind = suffix === 'sentinel' || suffix === 'cluster' ? suffix : 'single'
  const hosts = hostList.split(',').flatMap((each) => parseHost(each, PORTS[kind]))
  const isComplete = hosts.length === hostList.split(',').length
  if (scheme === undefined || !isComplete || (kind === 'single' && hosts.length > 1)) {
    return { problem: GENERAL }
  }
  const auth = parseUserInfo(userInfo)
  if (auth === undefined) return { problem: WRONG_PASSWORD }
  const place = parsePath(path, kind)
  if ('problem' in place) return place
  const parameters = parseQuery(query, kind)
  if (parameters === undefined) return { problem: WRONG_PARAMETER }
  return { kind, hosts, isTls: scheme === 'rediss', ...auth, ...place, ...parameters }
}

function parseHost(text: string, defaultPort: number): readonly RedisHost[] {
  const [whole, v6, name, port = String(defaultPort)] = HOST.exec(text) ?? []
  const isPort = Number(port) >= 1 && Number(port) <= 65_535
  return whole === undefined || !isPort ? [] : [{ host: v6 ?? name ?? '', port: Number(port) }]
}

function parseUserInfo(
  text: string | undefined,
): Pick<RedisAddress, 'username' | 'password'> | undefined {
  if (text === undefined || text === '') return { username: undefined, password: undefined }
  const [, username = '', password = ''] = /^([^:]*):(.*)$/.exec(text) ?? []
  const decoded = [decode(username), decode(password)]
  if (password === '' || decoded.includes(undefined)) return undefined
  return { username: decoded[0] === '' ? undefined : decoded[0], password: decoded[1] }
}

function parsePath(
  path: string,
  kind: RedisAddress['kind'],
): Pick<RedisAddress, 'name' | 'database'> | RedisUrlProblem {
  const parts = path === '' ? [] : path.split('/')
  const name = kind === 'sentinel' ? decode(parts.shift() ?? '') : undefined
  if (kind === 'sentinel' && (name === undefined || name === '')) return { problem: NO_NAME }
  const [database = '', ...rest] = parts
  if (rest.length > 0 || !/^\d{0,6}$/.test(database)) return { problem: WRONG_DATABASE }
  if (kind === 'cluster' && Number(database) !== 0) return { problem: NO_DATABASE }
  return { name, database: Number(database) }
}

function parseQuery(
  query: string,
  kind: RedisAddress['kind'],
): Pick<RedisAddress, 'protocol' | 'sentinelUsername' | 'sentinelPassword'> | undefined {
  const parameters = new URLSearchParams(query)
  const names = [...parameters.keys()]
  if (names.some((name) => !PARAMETERS.has(name)) || new Set(names).size < names.length) return
  const protocol = parameters.get('protocol') ?? '2'
  const sentinelUsername = parameters.get('sentinel_username') ?? undefined
  const sentinelPassword = parameters.get('sentinel_password') ?? undefined
  if (protocol !== '2' && protocol !== '3') return
  if (kind !== 'sentinel' && (sentinelUsername ?? sentinelPassword) !== undefined) return
  return { protocol: protocol === '3' ? 3 : 2, sentinelUsername, sentinelPassword }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
