import type { ClientError } from '../error.ts'
import { exchange, jsonPost, type Members } from '../exchange.ts'
import type { Session } from '../session.ts'
import type { Grant, Mode } from './mode.ts'

const INCLUDE = { credentials: 'include' } as const

/** The mode for web pages: the tokens are in HttpOnly cookies, and only the CSRF token is in memory. */
export function createCookieMode(authority: string): Mode {
  async function csrfHeader(): Promise<Record<string, string>> {
    mode.csrf ??= String((await exchange(`${authority}/auth/csrf`, INCLUDE))['csrf_token'])
    return { 'x-csrf-token': mode.csrf }
  }

  /** Sends a POST. If the CSRF token is of another session, because another tab has logged in, repeats it. */
  async function post(path: string, body: object, isRepeat?: boolean): Promise<Members> {
    try {
      const init = { ...INCLUDE, ...jsonPost(body, await csrfHeader()) }
      return await exchange(`${authority}/auth/${path}`, init)
    } catch (error) {
      if (isRepeat || (error as ClientError).code !== 'csrf_failed') throw error
      mode.csrf = undefined
      return post(path, body, true)
    }
  }

  /** The answers of a login and of a refresh have the same members. */
  function readGrant(body: Members): Grant {
    mode.csrf = String(body['csrf_token'])
    return { sid: String(body['sid']), lifeMs: lifeOf(body), recoveryCodes: body['recovery_codes'] }
  }

  const mode: Mode = {
    isShared: true,
    csrf: undefined,
    headers: async (method) => (/^(?:GET|HEAD|OPTIONS)$/i.test(method) ? {} : csrfHeader()),
    login: async (body, path) => readGrant(await post(`login${path}`, body)),
    // JSON leaves out a tenant that is undefined.
    refresh: async (tenant) => readGrant(await post('refresh', { tenant })),
    async load() {
      const body = await exchange(`${authority}/auth/session`, INCLUDE)
      const { csrf_token: csrf, access_expires_in: _, ...session } = body
      mode.csrf = String(csrf)
      // The authority's schema for this answer has the members of a session.
      return { lifeMs: lifeOf(body), session: session as unknown as Session }
    },
    async logout() {
      await post('logout', {})
    },
    async forget() {
      mode.csrf = undefined
    },
  }
  return mode
}

function lifeOf({ access_expires_in: seconds }: Members): number | undefined {
  return typeof seconds === 'number' ? seconds * 1000 : undefined
}
