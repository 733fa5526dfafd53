/** Members of an object that only the browser or the authority reads. */
export type Members = Readonly<Record<string, unknown>>

/** A credential that a browser returned (WebAuthn Level 3 §5.1). */
export interface Credential {
  readonly id: string
  readonly rawId: ArrayBuffer
  readonly type: string
  readonly authenticatorAttachment?: string | null
  /** The bytes, by the names that they have in JSON. */
  readonly response: {
    readonly clientDataJSON: ArrayBuffer
    readonly attestationObject?: ArrayBuffer
    readonly authenticatorData?: ArrayBuffer
    readonly signature?: ArrayBuffer
    readonly userHandle?: ArrayBuffer | null
    readonly getTransports?: () => readonly string[]
  }
  readonly getClientExtensionResults: () => Members
  /** Missing in older browsers, and with some extensions of password managers. */
  readonly toJSON?: () => unknown
}

/** The static functions of `PublicKeyCredential`. Older browsers lack each of them. */
export interface Credentials {
  readonly parseRequestOptionsFromJSON?: (options: Members) => Members
  readonly parseCreationOptionsFromJSON?: (options: Members) => Members
  readonly isConditionalMediationAvailable?: () => Promise<boolean>
  /** WebAuthn Level 3 §5.1.9, as the two below. */
  readonly signalUnknownCredential?: (options: {
    readonly rpId: string
    readonly credentialId: string
  }) => Promise<void>
  readonly signalAllAcceptedCredentials?: (options: {
    readonly rpId: string
    readonly userId: string
    readonly allAcceptedCredentialIds: readonly string[]
  }) => Promise<void>
}

/** The options of both ceremonies. */
export interface CeremonyOptions {
  readonly publicKey: Members
  readonly signal: AbortSignal
  readonly mediation?: 'conditional'
}

/** The parts of a browser that passkeys need. */
export interface Browser {
  readonly PublicKeyCredential?: Credentials
  readonly navigator: {
    readonly credentials: {
      readonly get: (options: CeremonyOptions) => Promise<Credential | null>
      readonly create: (options: CeremonyOptions) => Promise<Credential | null>
    }
  }
}

/** Returns the browser. Node and React Native have no `PublicKeyCredential`. */
export function browser(): Browser {
  // `PublicKeyCredential` is checked before `navigator.credentials` is used, and browsers have both or none.
  return globalThis as unknown as Browser
}
