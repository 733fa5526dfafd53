import type { Library } from './library/open.ts'
import type { LibraryOptions } from './library/options.ts'

/** Single sign-on. */
export interface Sso {
  /** Returns the library. The first call loads it, which takes about 0.2 s. */
  readonly library: () => Promise<Library>
}

/** Creates single sign-on. Nothing is loaded before the first request that needs it. */
export function createSso(options: LibraryOptions): Sso {
  let opened: Promise<Library> | undefined
  return {
    library: () => {
      opened ??= open(options)
      return opened
    },
  }
}

async function open(options: LibraryOptions): Promise<Library> {
  const { openLibrary } = await import('./library/open.ts')
  return openLibrary(options)
}
