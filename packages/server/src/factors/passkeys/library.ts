/** The modules of the library that reads passkeys. */
export interface PasskeyLibrary {
  readonly server: typeof import('@simplewebauthn/server')
  readonly helpers: typeof import('@simplewebauthn/server/helpers')
}

/** Loads the library. The first call takes 0.3 s in which nothing else runs; see {@link beginToLoadPasskeyLibrary}. */
export async function loadPasskeyLibrary(): Promise<PasskeyLibrary> {
  const [server, helpers] = await Promise.all([
    import('@simplewebauthn/server'),
    import('@simplewebauthn/server/helpers'),
  ])
  return { server, helpers }
}

/**
 * Begins to load the library after the answer of this request. Call it with the options of a registration: the person
 * needs seconds to answer them, and then nothing has to be loaded.
 */
export function beginToLoadPasskeyLibrary(): void {
  setImmediate(() => {
    // If it fails, the request that needs the library tries again and reports it.
    loadPasskeyLibrary().catch(() => {})
  })
}
