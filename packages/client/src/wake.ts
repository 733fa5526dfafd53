import type { Page } from './environment.ts'

/** Calls back when a page opens, hides or wakes up. */
export interface WakeHandlers {
  /** The page is visible, or the network is back. */
  readonly onAwake: () => void
  /** The page was frozen or in the back/forward cache, and has missed the news of other tabs. */
  readonly onReturn: () => void
  /** The page may go into the back/forward cache. */
  readonly onLeave: () => void
}

/**
 * Watches the page. Uses no timer: when a laptop wakes up, only the visible tabs act. Returns a function that ends it.
 */
export function watchPage(page: Page, { onAwake, onReturn, onLeave }: WakeHandlers): () => void {
  const { document = page } = page
  const watched = [
    [document, 'visibilitychange', () => page.document?.visibilityState === 'visible' && onAwake()],
    [document, 'resume', onReturn],
    [page, 'pageshow', (event: { persisted?: boolean }) => event.persisted && onReturn()],
    [page, 'pagehide', onLeave],
    [page, 'online', onAwake],
  ] as const
  const watch = new AbortController()
  for (const [target, type, listener] of watched) target.addEventListener(type, listener, watch)
  return () => watch.abort()
}
