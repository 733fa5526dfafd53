import {
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'

/**
 * A browser with an authenticator, made of `node:crypto`. It answers the options of both ceremonies as
 * `PublicKeyCredential.toJSON()` does, and every field of the answer can be forged. It shares no code with the server.
 *
 *   const authenticator = createAuthenticator({ rpId: 'example.com', origin: 'https://login.example.com' })
 *   const response = authenticator.register(options)
 *   const assertion = authenticator.authenticate(options, { isUserVerified: false })
 */

/** The part of the options of a registration that the authenticator reads. */
export interface CreationOptions {
  readonly challenge: string
  readonly user: { readonly id: string }
  readonly pubKeyCredParams?: readonly { readonly alg: number }[]
  readonly excludeCredentials?: readonly { readonly id: string }[]
}

/** The part of the options of an authentication that the authenticator reads. */
export interface RequestOptions {
  readonly challenge: string
  readonly allowCredentials?: readonly { readonly id: string }[]
}

/** The fields that every forged answer may change. `challenge`, `userHandle` and ids are base64url. */
export interface Forged {
  readonly type?: string
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly crossOrigin?: unknown
  readonly topOrigin?: unknown
  /** More members of the client data, or others in their place. */
  readonly clientData?: Record<string, unknown>
  readonly isUserPresent?: boolean
  readonly isUserVerified?: boolean
  readonly isBackupEligible?: boolean
  readonly isBackedUp?: boolean
  readonly signCount?: number
  /** Bytes after the authenticator data, covered by the signature. */
  readonly trailing?: Uint8Array
  /** The id that the JSON names. The authenticator data keep the real one. */
  readonly id?: string
}

/** The fields that a forged registration may change. */
export interface ForgedRegistration extends Forged {
  /** The id in the authenticator data, and in the JSON unless `id` says otherwise. */
  readonly credentialId?: Uint8Array
  /** The key type: the COSE algorithm whose key the authenticator makes. */
  readonly alg?: number
  /** Labels of the COSE key in place of the real ones. */
  readonly coseKey?: ReadonlyMap<number, Cbor>
  readonly modulusBits?: number
  readonly fmt?: string
  readonly attStmt?: ReadonlyMap<string, Cbor>
  readonly transports?: unknown
}

/** The fields that a forged assertion may change. */
export interface ForgedAssertion extends Forged {
  /** The passkey to sign with. By default one that the options allow, otherwise the newest one. */
  readonly with?: string
  /** In base64url. Null leaves it out. */
  readonly userHandle?: string | null
  readonly tamperSignature?: boolean
  /** The signature, in base64url. */
  readonly signature?: string
}

/** The answer to a registration. */
export interface RegistrationJson {
  id: string
  rawId: string
  type: string
  authenticatorAttachment: string
  clientExtensionResults: Record<string, unknown>
  response: {
    clientDataJSON: string
    attestationObject: string
    authenticatorData: string
    publicKeyAlgorithm: number
    transports: unknown
  }
}

/** The answer to an authentication. */
export interface AssertionJson {
  id: string
  rawId: string
  type: string
  authenticatorAttachment: string
  clientExtensionResults: Record<string, unknown>
  response: {
    clientDataJSON: string
    authenticatorData: string
    signature: string
    userHandle?: string
  }
}

/** A passkey of the authenticator. */
export interface Passkey {
  readonly id: string
  readonly userHandle: string
  readonly alg: number
  readonly privateKey: KeyObject
  signCount: number
}

/** See the top of this file. */
export interface Authenticator {
  /** The passkeys, oldest first. A test may change their counters. */
  readonly passkeys: Passkey[]
  register(options: CreationOptions, forged?: ForgedRegistration): RegistrationJson
  authenticate(options: RequestOptions, forged?: ForgedAssertion): AssertionJson
}

/**
 * Makes an authenticator for one site. By default its passkeys are ES256 keys on one device: they have a counter that
 * starts at 1, and cannot be backed up. `isSynced` makes passkeys that are backed up and have no counter.
 */
export function createAuthenticator({
  rpId,
  origin,
  alg = -7,
  isSynced = false,
}: {
  readonly rpId: string
  readonly origin: string
  readonly alg?: number
  readonly isSynced?: boolean
}): Authenticator {
  const passkeys: Passkey[] = []
  const standard: Forged = {
    rpId,
    origin,
    isUserPresent: true,
    isUserVerified: true,
    isBackupEligible: isSynced,
    isBackedUp: isSynced,
  }

  function register(options: CreationOptions, given: ForgedRegistration = {}): RegistrationJson {
    const forged = { ...standard, alg, ...given }
    const { privateKey, publicKey } = makeKeys(forged.alg, forged.modulusBits)
    const credentialId = forged.credentialId ?? randomBytes(32)
    const id = base64url(credentialId)
    const signCount = isSynced ? 0 : 1
    passkeys.push({ id, userHandle: options.user.id, alg: forged.alg, privateKey, signCount })

    const coseKey = new Map([...coseKeyOf(publicKey, forged.alg), ...(forged.coseKey ?? [])])
    const attested = Buffer.concat([
      Buffer.alloc(16),
      uint16(credentialId.length),
      credentialId,
      encodeCbor(coseKey),
    ])
    const authData = authenticatorData({ signCount, ...forged }, attested)
    const attestation = new Map<string, Cbor>([
      ['fmt', forged.fmt ?? 'none'],
      ['attStmt', forged.attStmt ?? new Map<string, Cbor>()],
      ['authData', authData],
    ])
    return {
      id: forged.id ?? id,
      rawId: forged.id ?? id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: {
        clientDataJSON: base64url(clientData('webauthn.create', options, forged)),
        attestationObject: base64url(encodeCbor(attestation)),
        authenticatorData: base64url(authData),
        publicKeyAlgorithm: forged.alg,
        transports: 'transports' in forged ? forged.transports : ['internal'],
      },
    }
  }

  function authenticate(options: RequestOptions, given: ForgedAssertion = {}): AssertionJson {
    const forged = { ...standard, ...given }
    const passkey = choose(passkeys, options, forged.with)
    if (!isSynced) passkey.signCount += 1
    const authData = authenticatorData({ signCount: passkey.signCount, ...forged })
    const client = clientData('webauthn.get', options, forged)
    const signed = Buffer.concat([authData, createHash('sha256').update(client).digest()])
    const signature = sign(hashOf(passkey.alg), signed, passkey.privateKey)
    if (forged.tamperSignature === true) signature[signature.length - 1]! ^= 1
    const userHandle = forged.userHandle === undefined ? passkey.userHandle : forged.userHandle
    return {
      id: forged.id ?? passkey.id,
      rawId: forged.id ?? passkey.id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: {
        clientDataJSON: base64url(client),
        authenticatorData: base64url(authData),
        signature: forged.signature ?? base64url(signature),
        ...(userHandle !== null && { userHandle }),
      },
    }
  }

  return { passkeys, register, authenticate }
}

function choose(
  passkeys: readonly Passkey[],
  { allowCredentials = [] }: RequestOptions,
  id: string | undefined,
): Passkey {
  const passkey =
    id === undefined
      ? passkeys.findLast(
          (each) =>
            allowCredentials.length === 0 || allowCredentials.some((known) => known.id === each.id),
        )
      : passkeys.find((each) => each.id === id)
  if (passkey === undefined) throw new Error('This authenticator has none of these passkeys')
  return passkey
}

function clientData(type: string, { challenge }: { challenge: string }, forged: Forged): Buffer {
  return Buffer.from(
    JSON.stringify({
      type: forged.type ?? type,
      challenge: forged.challenge ?? challenge,
      origin: forged.origin,
      crossOrigin: 'crossOrigin' in forged ? forged.crossOrigin : false,
      ...('topOrigin' in forged && { topOrigin: forged.topOrigin }),
      ...forged.clientData,
    }),
  )
}

function authenticatorData(forged: Forged, attested?: Buffer): Buffer {
  const flags =
    (forged.isUserPresent === true ? 0x01 : 0) |
    (forged.isUserVerified === true ? 0x04 : 0) |
    (forged.isBackupEligible === true ? 0x08 : 0) |
    (forged.isBackedUp === true ? 0x10 : 0) |
    (attested === undefined ? 0 : 0x40)
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(forged.signCount ?? 0)
  return Buffer.concat([
    createHash('sha256')
      .update(forged.rpId ?? '')
      .digest(),
    Buffer.of(flags),
    counter,
    attested ?? Buffer.alloc(0),
    forged.trailing ?? Buffer.alloc(0),
  ])
}

/** Makes keys of the family of a COSE algorithm. */
function makeKeys(
  alg: number,
  modulusBits = 2048,
): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (alg === -8) return generateKeyPairSync('ed25519')
  if (alg === -7) return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (alg === -35) return generateKeyPairSync('ec', { namedCurve: 'P-384' })
  if (alg === -257) return generateKeyPairSync('rsa', { modulusLength: modulusBits })
  throw new Error(`This authenticator makes no keys for ${alg}`)
}

/** The hash of the signature. Ed25519 has its own. */
function hashOf(alg: number): string | null {
  return alg === -8 ? null : alg === -35 ? 'sha384' : 'sha256'
}

function coseKeyOf(key: KeyObject, alg: number): Map<number, Cbor> {
  const jwk: JsonWebKey = key.export({ format: 'jwk' })
  const bytes = (text = ''): Buffer => Buffer.from(text, 'base64url')
  if (jwk.kty === 'RSA') {
    return new Map<number, Cbor>([
      [1, 3],
      [3, alg],
      [-1, bytes(jwk.n)],
      [-2, bytes(jwk.e)],
    ])
  }
  const curves: Record<string, number> = { 'P-256': 1, 'P-384': 2, Ed25519: 6 }
  return new Map<number, Cbor>([
    [1, jwk.kty === 'OKP' ? 1 : 2],
    [3, alg],
    [-1, curves[jwk.crv ?? ''] ?? 0],
    [-2, bytes(jwk.x)],
    ...(jwk.y === undefined ? [] : ([[-3, bytes(jwk.y)]] as const)),
  ])
}

/** A value that `encodeCbor` writes. */
export type Cbor =
  | number
  | string
  | boolean
  | Uint8Array
  | readonly Cbor[]
  | ReadonlyMap<number, Cbor>
  | ReadonlyMap<string, Cbor>

/** Writes CBOR (RFC 8949) with the shortest lengths. Maps keep their order. */
export function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4)
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (value instanceof Map) {
    const entries: [number | string, Cbor][] = [...value]
    return Buffer.concat([
      head(5, entries.length),
      ...entries.flat().map((each) => encodeCbor(each)),
    ])
  }
  const items = [...(value as readonly Cbor[])] // Only lists are left.
  return Buffer.concat([head(4, items.length), ...items.map((each) => encodeCbor(each))])
}

function head(major: number, argument: number): Buffer {
  const type = major << 5
  if (argument < 24) return Buffer.of(type | argument)
  if (argument < 0x100) return Buffer.of(type | 24, argument)
  if (argument < 0x10000) return Buffer.concat([Buffer.of(type | 25), uint16(argument)])
  const four = Buffer.alloc(4)
  four.writeUInt32BE(argument)
  return Buffer.concat([Buffer.of(type | 26), four])
}

function uint16(value: number): Buffer {
  const two = Buffer.alloc(2)
  two.writeUInt16BE(value)
  return two
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
