/** A provider of plain OAuth 2. Each has its own way to say who the person is. */
export type PlainKind = 'github' | 'x' | 'discord' | 'facebook'

/** Where a provider of plain OAuth 2 is reached. */
export interface PlainEndpoints {
  readonly authorization: string
  readonly token: string
  /** Returns the person as JSON. */
  readonly profile: string
  /** Only GitHub: returns the addresses of the person as JSON. */
  readonly emails?: string | undefined
}

/** How this server proves to a provider who it is. `apple`: a JWT that is made for each request. */
export type ProviderSecret =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly value: string }
  | {
      readonly kind: 'apple'
      readonly teamId: string
      readonly keyId: string
      /** The private key as PEM. */
      readonly privateKey: string
    }

/** Gives roles to the members of groups at the provider. */
export interface RoleRule {
  /** The claim with the names of the groups. */
  readonly claim: string
  /** The global roles of each group. */
  readonly map: Readonly<Record<string, readonly string[]>>
}

/** A provider whose identities can log in, as the settings describe it. */
export interface UpstreamProvider {
  /** A part of its paths: 1 to 32 of `a-z 0-9 -`. */
  readonly name: string
  /** The name on its button. */
  readonly title: string
  readonly protocol:
    | { readonly kind: 'openid'; readonly issuer: string }
    | {
        readonly kind: PlainKind
        /** The issuer of its identities: it has no `iss` of its own. */
        readonly issuer: string
        readonly endpoints: PlainEndpoints
      }
  readonly clientId: string
  readonly secret: ProviderSecret
  readonly scopes: readonly string[]
  /** Apple sends its answer as a form. */
  readonly answersByForm: boolean
  /** Whether an address that the provider calls verified counts as verified. */
  readonly trustsEmail: boolean
  readonly roles: RoleRule | undefined
}

/** The settings of log-in with other identities. */
export interface UpstreamSettings {
  readonly providers: readonly UpstreamProvider[]
  /** Whether an unknown identity creates an account. */
  readonly signUp: boolean
  /** Where applications get codes, besides the origins of the settings: exact URLs. */
  readonly redirects: readonly string[]
}

/** A person, as a provider describes them. */
export interface UpstreamProfile {
  readonly issuer: string
  /** The id that the issuer never gives to somebody else. */
  readonly subject: string
  /** The address or name by which the person recognises the identity. */
  readonly label: string
  /** A name from which a username can be made. It decides nothing else. */
  readonly name: string | undefined
  readonly email: { readonly address: string; readonly isVerified: boolean } | undefined
  /** The groups of the claim of {@link RoleRule}. */
  readonly groups: readonly string[]
}
