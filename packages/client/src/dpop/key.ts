/** A P-256 key that signs proofs. Its private half may be in the keychain of a phone. */
export interface DpopKey {
  /** The public half (RFC 7518 §6.2.1). */
  readonly jwk: {
    readonly kty: 'EC'
    readonly crv: 'P-256'
    readonly x: string
    readonly y: string
  }
  /** Signs bytes with ES256, and returns the 64 bytes of r and s (RFC 7518 §3.4). */
  readonly sign: (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const

/** Makes a pair whose private half no script can read, not even ours. */
async function generatePair() {
  return crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify'])
}

/** A key pair of WebCrypto. Browsers and Node name its type differently. */
type Pair = Awaited<ReturnType<typeof generatePair>>

/** Makes a key that is gone when the page or the application ends. */
export async function createKey(): Promise<DpopKey> {
  return keyOf(await generatePair())
}

async function keyOf({ publicKey, privateKey }: Pair): Promise<DpopKey> {
  const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', publicKey)
  return {
    jwk: { kty: 'EC', crv: 'P-256', x, y },
    sign: (bytes) => crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, bytes),
  }
}

const NAME = 'countersign-dpop'
const ENTRY = 'key'

/** The parts of IndexedDB that the client uses. */
interface Database {
  createObjectStore(name: string): unknown
  transaction(name: string, mode: 'readonly' | 'readwrite'): { objectStore(name: string): Entries }
  close(): void
}
interface Entries {
  get(key: string): Asked<unknown>
  add(value: unknown, key: string): Asked<unknown>
}
interface Asked<T> {
  readonly result: T
  readonly error: Error | null
  addEventListener(type: 'success' | 'error' | 'upgradeneeded', listener: () => void): void
}
interface Databases {
  open(name: string, version: number): Asked<Database>
}

/** Returns the IndexedDB of the page. Undefined in Node and in React Native. */
export function findDatabases(): Databases | undefined {
  return (globalThis as { readonly indexedDB?: Databases }).indexedDB
}

/** Loads the key of this origin from IndexedDB, or makes it. All tabs get the same key. */
export async function loadKey(databases: Databases): Promise<DpopKey> {
  const opening = databases.open(NAME, 1)
  opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore(NAME))
  const database = await answerOf(opening)
  const entries = (mode: 'readonly' | 'readwrite'): Entries =>
    database.transaction(NAME, mode).objectStore(NAME)
  try {
    let found = await answerOf(entries('readonly').get(ENTRY))
    if (!found) {
      const made = await generatePair()
      // `add` fails if another tab has stored a key meanwhile. Then that one counts.
      await answerOf(entries('readwrite').add(made, ENTRY)).catch(() => {})
      found = await answerOf(entries('readonly').get(ENTRY))
    }
    // Only this function writes this entry.
    return await keyOf(found as Pair)
  } finally {
    database.close()
  }
}

function answerOf<T>(asked: Asked<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    asked.addEventListener('success', () => resolve(asked.result))
    asked.addEventListener('error', () => reject(asked.error ?? new Error('IndexedDB failed')))
  })
}
