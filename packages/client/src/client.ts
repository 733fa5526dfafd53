import { ClientError, isOver } from './error.ts'
import { findPage } from './environment.ts'
import { isStepUp } from './exchange.ts'
import { createFetch } from './fetch.ts'
import { createCookieMode } from './modes/cookies.ts'
import { createMemoryMode } from './modes/memory.ts'
import type { Grant } from './modes/mode.ts'
import { createPause } from './pause.ts'
import { startLife, type Life } from './life.ts'
import { connectTabs } from './tabs.ts'
import type { StepUpHandler } from './factors/types.ts'
import type { Session } from './session.ts'
import type { Client, ClientOptions } from './types.ts'
import { watchPage } from './wake.ts'

/** Makes a function that adds to a set, and returns a function that removes it again. */
const addTo =
  <Each>(all: Set<Each>) =>
  (each: Each) => {
    all.add(each)
    return () => void all.delete(each)
  }

/** A message from one tab to the others. */
interface News {
  readonly session: Session | null | undefined
  readonly csrf: string | undefined
  readonly leftMs: number | undefined
  /** When it was sent. All tabs have the same clock, and a frozen tab reads its news late. */
  readonly at: number
  /** Whether the access token is another one than before. */
  readonly isRenewal: boolean
  /** Why a refresh failed, so that the other tabs do not try at once. */
  readonly failed?: {
    readonly code: string
    readonly status?: number
    readonly retryAfterMs?: number
  }
}

// Refusals of what a person has entered. No refresh can change them, and each repeat would be another guess.
const NOT_OF_TOKEN = /^(?:credentials|factor|passkey|ticket)_/

/** Loads the code for second factors and passkeys, which most pages never need. */
const loadFactors = (): Promise<typeof import('./factors.ts')> =>
  import('./factors.ts').catch((cause: unknown) => {
    throw new ClientError(undefined, { cause })
  })

/**
 * Creates the client of a page or an application. It never logs out by itself: only the authority's word ends the
 * session. It never loops: a call refreshes at most once and is repeated at most once.
 */
export function createClient(options: ClientOptions = {}): Client {
  const { mode: kind, storage, dpop, origins = [] } = options
  const page = findPage()
  // Not relative: a <base> in the page must not lead passwords and tokens elsewhere.
  const authority = (options.authority || page?.location.origin || '').replace(/\/+$/, '')
  const mode =
    kind === 'memory' ? createMemoryMode(authority, storage, dpop) : createCookieMode(authority)
  const originOf = (url: string): string => {
    try {
      return new URL(url, page?.document?.baseURI).origin
    } catch {
      return 'null' // as for all URLs without an origin that can be compared
    }
  }
  const ours = [authority, ...origins].map(originOf)
  const tabs = connectTabs(page, `countersign:${ours[0]}`, mode.isShared ? hear : undefined)
  const pause = createPause()
  const listeners = new Set<Parameters<Client['onChange']>[0]>()
  const handlers = new Set<StepUpHandler>()
  let session: Session | null | undefined
  let life: Life | undefined
  /** Counts the access tokens: a request that was sent before the newest one needs no refresh of its own. */
  let renewals = 0
  /** Whether this page has missed the news of other tabs. */
  let isBehind = false
  let renewing: Promise<void> | undefined
  let loading: Promise<void> | undefined

  function change(next: typeof session): void {
    if (JSON.stringify(next) === JSON.stringify(session)) return
    session = next
    // An error of one listener must reach neither the other listeners nor the caller.
    for (const listener of listeners) queueMicrotask(() => listener(session))
  }

  function tell(isRenewal: boolean, failed?: ClientError): void {
    tabs.tell({
      session,
      csrf: mode.csrf,
      leftMs: life?.leftMs(),
      at: Date.now(),
      isRenewal,
      failed: failed && { ...failed },
    })
  }

  function hear(data: unknown): void {
    // Only pages of this origin can send on this channel.
    const { failed, isRenewal, csrf, leftMs, at, session: next } = data as News
    if (failed) return pause.begin(new ClientError(failed.code, failed))
    // The session of another tab is over. If somebody has logged in here meanwhile, this one is not.
    if (!next && !isRenewal) return void load().catch(() => {})
    if (isRenewal) renewals += 1
    pause.end()
    mode.csrf = csrf
    life = startLife(leftMs && leftMs - Math.max(0, Date.now() - at))
    change(next)
  }

  /** Nobody is logged in any more. */
  async function end(): Promise<void> {
    renewals += 1
    life = undefined
    isBehind = false
    await mode.forget()
    change(null)
  }

  /** Asks who is logged in. Ignores the answer if another tab has renewed the session meanwhile. */
  async function load(): Promise<void> {
    const seen = renewals
    try {
      const loaded = await mode.load()
      if (renewals !== seen) return
      isBehind = false
      if (loaded.lifeMs !== undefined) life = startLife(loaded.lifeMs)
      if (session && session.sid !== loaded.session.sid) renewals += 1
      change(loaded.session)
    } catch (error) {
      if (renewals !== seen) return
      if (!isOver(error as ClientError)) throw error
      await end()
    }
  }

  /** Takes over a new access token. */
  async function adopt({ sid, lifeMs }: Grant): Promise<void> {
    renewals += 1
    life = startLife(lifeMs)
    pause.end()
    if (session?.sid === sid) {
      // Roles may have changed. The waiting calls need not know.
      void load().then(
        () => tell(false),
        () => {},
      )
    } else {
      await load().catch((error: unknown) => {
        change(undefined) // whoever was logged in before is not any more
        throw error
      })
    }
    tell(true)
  }

  async function rotate(tenant?: string | null): Promise<void> {
    const seen = renewals
    try {
      await adopt(await mode.refresh(tenant))
    } catch (error) {
      // If another tab has logged in meanwhile, the refusal is about the session before.
      if (renewals !== seen) return
      if (isOver(error as ClientError)) {
        await end()
        return tell(false)
      }
      if ((error as ClientError).code !== 'refresh_elsewhere') throw error
      renewals += 1 // a server that renders pages has refreshed, and this browser has its cookies or gets them
    }
  }

  /** Refreshes, unless this tab or another one has done so after the `seen`th renewal. */
  async function renew(seen: number): Promise<void> {
    if (renewals !== seen) return
    renewing ??= tabs
      .exclusive(async (isNext) => {
        if (isNext && mode.isShared && renewals === seen) await tabs.news()
        if (renewals !== seen) return
        pause.check()
        try {
          await rotate()
        } catch (error) {
          pause.begin(error as ClientError)
          tell(false, error as ClientError)
          throw error
        }
      })
      .finally(() => (renewing = undefined))
    return renewing
  }

  /** Does what is due before a call or when the page becomes visible. Waits only if the call would fail. */
  async function prepareSession(): Promise<void> {
    if (session === undefined || isBehind) {
      pause.check()
      await client.session({ reload: true }).catch((error: ClientError) => pause.begin(error))
    }
    if (session && life?.isDue()) {
      const renewed = renew(renewals).catch(() => {})
      if (life.leftMs() <= 0) await renewed
    }
  }

  const client: Client = {
    authority,

    login: (credentials) => client.logInAt('', credentials),

    loginWithPasskey: async (how) => (await loadFactors()).loginWithPasskey(client, how),

    async logInAt(path, body) {
      try {
        return await tabs.exclusive(async () => {
          const grant = await mode.login(body, path)
          await adopt(grant)
          if (!session) throw new ClientError('session_ended', { status: 401 })
          // The authority's schema for this member.
          const recoveryCodes = (grant.recoveryCodes ?? []) as readonly string[]
          return { next: 'signed-in', session, recoveryCodes }
        })
      } catch (error) {
        // With a ticket, the password was right, and the login continues.
        const { members } = error as ClientError
        if (!members?.['ticket']) throw error
        return (await loadFactors()).nextStep(client, members)
      }
    },

    signIn: (returnTo) =>
      page?.location.assign(
        `${authority}/sign-in?return_to=${encodeURIComponent(returnTo ?? page.location.href)}`,
      ),

    logout: () =>
      tabs.exclusive(async () => {
        const failed = await mode.logout().catch((error: ClientError) => error)
        const hasFailed = failed && !isOver(failed)
        if (!hasFailed || !mode.isShared) await end()
        if (hasFailed) throw failed
        tell(true)
      }),

    async session({ reload } = {}) {
      if (session === undefined || reload) {
        await (loading ??= load().finally(() => (loading = undefined)))
      }
      return session ?? null
    },

    peek: () => session,

    async refresh({ tenant } = {}) {
      await tabs.exclusive(() => rotate(tenant))
      return client.session({ reload: true })
    },

    fetch: createFetch(() => client, dpop),

    onChange: addTo(listeners),

    onStepUp: addTo(handlers),

    async prepare(url, method) {
      const origin = originOf(url)
      const isOurs = origin !== 'null' && ours.includes(origin)
      if (isOurs) await prepareSession().catch(() => {})
      return {
        isOurs,
        headers: isOurs ? await mode.headers(method) : {},
        withCookies: isOurs && mode.isShared,
        renewals,
        session,
      }
    },

    async shouldRepeat(prepared, status, code = '', challenge) {
      const before = prepared.session
      if (!prepared.isOurs) return false
      if (status === 403 && code === 'csrf_failed' && prepared.headers['x-csrf-token']) {
        mode.csrf = undefined
        await load()
      } else if (status !== 401 || NOT_OF_TOKEN.test(code)) {
        return false
      } else if (isStepUp(code, challenge)) {
        // A request that was sent before the last step-up needs no further one.
        if (before?.auth_time === session?.auth_time) {
          if (!handlers.size) return false
          const asked = loadFactors().then((it) => it.askToStepUp(client, handlers, challenge))
          if (!(await asked.catch(() => false))) return false
        }
      } else if (session !== null || renewals !== prepared.renewals) {
        await renew(prepared.renewals)
      } else {
        return false
      }
      // A request of one person must not continue in the name of another person who has logged in meanwhile.
      return !!session && (before ?? session).sub === session.sub
    },

    close() {
      unwatch?.()
      tabs.connect(false)
      listeners.clear()
    },
  }

  function awake(): void {
    pause.endOffline()
    const isVisible = page?.document?.visibilityState === 'visible'
    if (isVisible && (session || listeners.size > 0)) prepareSession().catch(() => {})
  }
  const unwatch =
    page &&
    watchPage(page, {
      onAwake: awake,
      onReturn() {
        tabs.connect(true)
        isBehind = session !== undefined
        awake()
      },
      onLeave: () => tabs.connect(false),
    })

  return client
}
