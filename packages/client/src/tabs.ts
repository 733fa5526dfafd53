import type { Page } from './environment.ts'

// A tab that a browser froze may hold the lock. The others then refresh without it: the authority gives all of
// them the same refresh token.
const LOCK_MS_MAX = 20_000
// News of the tab that had the lock before may arrive after the lock.
const NEWS_MS_MAX = 200

/** The other tabs of the same browser and origin. */
export interface Tabs {
  /** Does some work in one tab at a time. `isNext` tells that another tab has just done the same. */
  exclusive<Result>(work: (isNext: boolean) => Promise<Result>): Promise<Result>
  /** Tells all other tabs. */
  tell(news: unknown): void
  /** Resolves when news arrive, or after a short time. */
  news(): Promise<void>
  /** Opens the channel again, or closes it. An open channel keeps a page out of the back/forward cache. */
  connect(isOpen: boolean): void
}

/** Connects to the other tabs. Without `hear`, there is no channel. Outside a page, and without Web Locks, every tab works for itself. */
export function connectTabs(
  page: Page | undefined,
  name: string,
  hear: ((news: unknown) => void) | undefined,
): Tabs {
  const locks = page?.navigator?.locks
  const Channel = hear && page?.BroadcastChannel
  let channel = undefined as InstanceType<NonNullable<typeof Channel>> | undefined
  let waiting: (() => void)[] = []

  const tabs: Tabs = {
    async exclusive(work) {
      let running: ReturnType<typeof work> | undefined
      const start = (isNext: boolean): ReturnType<typeof work> => {
        clearTimeout(timer)
        return (running ??= work(isNext))
      }
      const limit = new AbortController()
      const timer = setTimeout(() => limit.abort(), LOCK_MS_MAX)
      try {
        await locks?.request(name, { ifAvailable: true }, (lock) => lock && start(false))
        if (!running) {
          await locks?.request(name, { signal: limit.signal }, () => start(true))
        }
      } catch {
        // The lock was not free in time, or this document may not use locks. If the work has failed, its own
        // error follows here.
      }
      return start(false)
    },
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    tell: (news) => channel?.postMessage(news),
    news: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        setTimeout(resolve, NEWS_MS_MAX)
      }),
    connect(isOpen) {
      channel?.close()
      channel = isOpen && Channel ? new Channel(name) : undefined
      if (!channel) return
      channel.addEventListener('message', ({ data }) => {
        hear?.(data)
        for (const go of waiting) go()
        waiting = []
      })
    },
  }
  tabs.connect(true)
  return tabs
}
