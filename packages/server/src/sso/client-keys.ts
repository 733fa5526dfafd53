import { createPublicKey, type JsonWebKey } from 'node:crypto'

/** Public keys with which an application signs its assertions (RFC 7517 §5). */
export interface ClientKeys {
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

const KEYS_MAX = 10
const RSA_BITS_MIN = 2_048
/** The members that only private and symmetric keys have (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Checks the key set of an application. Returns what is wrong, as the end of a sentence; undefined if nothing is. */
export function checkClientKeys({ keys }: ClientKeys): string | undefined {
  if (keys.length === 0 || keys.length > KEYS_MAX) return `must have 1 to ${KEYS_MAX} keys`
  const kids = keys.map(({ kid }) => kid).filter((kid) => kid !== undefined)
  if (new Set(kids).size < kids.length) return 'must have a different kid for each key'
  for (const key of keys) {
    const problem = checkKey(key)
    if (problem !== undefined) return problem
  }
  return undefined
}

function checkKey(key: Readonly<Record<string, unknown>>): string | undefined {
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member))) {
    return 'must contain only public keys. Remove the private members, and replace a private key that was shown here'
  }
  if (key['use'] !== undefined && key['use'] !== 'sig') {
    return 'must contain only keys that sign ("use": "sig")'
  }
  const bits = rsaBits(key)
  if (bits === undefined) return 'must contain only EC, RSA and OKP public keys as JWKs (RFC 7517)'
  return bits < RSA_BITS_MIN ? `must have RSA keys of at least ${RSA_BITS_MIN} bits` : undefined
}

/** Returns the size of an RSA key, infinity for other keys, and undefined if it is no public key. */
function rsaBits(key: Readonly<Record<string, unknown>>): number | undefined {
  try {
    // Node checks each member that it needs.
    const { asymmetricKeyDetails } = createPublicKey({ format: 'jwk', key: key as JsonWebKey })
    return asymmetricKeyDetails?.modulusLength ?? Infinity
  } catch {
    return undefined
  }
}
