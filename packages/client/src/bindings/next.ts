import { createProxy } from './next/proxy.ts'
import { readSettings, type CountersignOptions } from './next/settings.ts'
import { createSessionReaders, type SessionReaders } from './next/session.ts'
import type { NextRequest } from 'next/server.js'

export type { CountersignOptions } from './next/settings.ts'
export type { ServerSession, SessionReaders, TokenGuard } from './next/session.ts'

/** The functions for the server of a Next.js application. */
export interface Countersign extends SessionReaders {
  /**
   * For `proxy.ts`, or `middleware.ts` before Next.js 16. Refreshes before a page is rendered, and passes `/auth/` on
   * to the authority.
   */
  readonly proxy: (request: NextRequest) => Promise<Response>
}

/** Creates the server's side of a Next.js application. Throws a TypeError for a URL that is not http or https. */
export function createCountersign(options: CountersignOptions): Countersign {
  const settings = readSettings(options)
  return { proxy: createProxy(settings), ...createSessionReaders(settings) }
}
