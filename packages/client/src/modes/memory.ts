import { ClientError, isOver } from '../error.ts'
import { exchange, jsonPost, type Members } from '../exchange.ts'
import type { Session } from '../session.ts'
import type { BoundFetch, TokenStorage } from '../types.ts'
import type { Grant, Mode } from './mode.ts'

/** The mode for native applications: the access token is in memory, the refresh token in the storage. */
export function createMemoryMode(
  authority: string,
  storage: TokenStorage = memoryStorage(),
  send?: BoundFetch,
): Mode {
  // Expo's SecureStore allows only letters, digits, dots, dashes and underscores in a key.
  const key = `countersign.${authority.replace(/[^\w.-]+/g, '-')}`
  let access: string | undefined
  let refreshing: Promise<Grant> | undefined

  const post = (path: string, body: object): Promise<Members> =>
    exchange(`${authority}/api/token${path}/`, { ...jsonPost(body), credentials: 'omit' }, send)

  async function keep(members: Members): Promise<Grant> {
    const { access: next, refresh } = members
    if (typeof refresh === 'string') await storage.set(key, refresh)
    access = String(next)
    return { ...readToken(access), recoveryCodes: members['recovery_codes'] }
  }

  async function rotate(used?: string | null): Promise<Grant> {
    const refresh = await storage.get(key)
    if (!refresh || refresh === used) throw new ClientError('token_missing', { status: 401 })
    try {
      return await keep(await post('/refresh', { refresh }))
    } catch (error) {
      // Another window may have stored a newer token meanwhile.
      if (used === undefined && isOver(error as ClientError)) return rotate(refresh)
      throw error
    }
  }

  const refresh = async (tenant?: string | null): Promise<Grant> => {
    assertNoTenant(tenant)
    return (refreshing ??= rotate().finally(() => (refreshing = undefined)))
  }

  async function me(): Promise<Session> {
    const headers = { authorization: `Bearer ${access}` }
    const body = await exchange(`${authority}/auth/me`, { headers, credentials: 'omit' }, send)
    // The authority's schema for this answer has the members of a session.
    return body as unknown as Session
  }

  return {
    isShared: false,
    csrf: undefined,
    headers: async () => (access ? { authorization: `Bearer ${access}` } : {}),
    login: async (body, path) => {
      assertNoTenant((body as Members)['tenant'])
      return keep(await post(path, body))
    },
    refresh,
    async load() {
      try {
        if (access) return { session: await me() }
      } catch (error) {
        if (!isOver(error as ClientError)) throw error
      }
      const { lifeMs } = await refresh()
      return { lifeMs, session: await me() }
    },
    async logout() {
      const token = await storage.get(key)
      // The person must be logged out on this device also without a network.
      await this.forget()
      if (token) await post('/blacklist', { refresh: token })
    },
    async forget() {
      access = undefined
      await storage.remove(key)
    },
  }
}

/** Reads the lifetime as a duration, because the clock of the device may be wrong. */
function readToken(access: string): Grant {
  try {
    const payload = access.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/')
    // The authority signs these members. They are not checked, because the guard of each service checks them.
    const { sid, exp, iat } = JSON.parse(atob(payload)) as {
      sid: unknown
      exp: number
      iat: number
    }
    return { sid: String(sid), lifeMs: (exp - iat) * 1000 }
  } catch {
    return { sid: '' }
  }
}

/** Keeps one value, because a client stores under one key. */
function memoryStorage(): TokenStorage {
  let stored: string | null = null
  return {
    get: async () => stored,
    set: async (_, value) => void (stored = value),
    remove: async () => void (stored = null),
  }
}

/** The SimpleJWT endpoints know no tenants. Ignoring one would log in to another tenant. */
function assertNoTenant(tenant: unknown): void {
  if (tenant !== undefined) throw new TypeError('mode: memory has no tenants')
}
