/**
 * The parts of `oidc-provider` 9.13 that this folder uses. The package has no types. `sso-library.test.ts` fails if one
 * of these members is gone.
 */
declare module 'oidc-provider' {
  import type { IncomingMessage, RequestListener } from 'node:http'

  /** The payload of a stored model. */
  export type Payload = Record<string, unknown>

  /** The store of one kind of model. */
  export interface Adapter {
    upsert(id: string, payload: Payload, expiresInSec: number): Promise<void>
    find(id: string): Promise<Payload | undefined>
    findByUid(uid: string): Promise<Payload | undefined>
    findByUserCode(userCode: string): Promise<Payload | undefined>
    consume(id: string): Promise<void>
    destroy(id: string): Promise<void>
    revokeByGrantId(grantId: string): Promise<void>
  }

  export interface Account {
    readonly accountId: string
    claims(use: string, scope: string): Promise<object>
  }

  export interface Client {
    readonly clientId: string
    readonly clientAuthMethod: string
    readonly countersign: unknown
    grantTypeAllowed(type: string): boolean
    redirectUriAllowed(uri: unknown): boolean
    compareClientSecret(secret: string): boolean | Promise<boolean>
    includeSid(): unknown
  }

  export interface Model {
    jti: string
    exp?: number
    iat?: number
    kind: string
  }

  export interface Grant extends Model {
    accountId?: string
    clientId?: string
    getOIDCScopeEncountered(): string
    getResourceScopeEncountered(resource: string): string
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }

  export interface Session extends Model {
    accountId?: string
    loginTs?: number
    readonly new?: boolean
    grantIdFor(clientId: string): string | undefined
    sidFor(clientId: string, sid?: string): string | undefined
  }

  export interface Interaction extends Model {
    readonly params: Readonly<Record<string, unknown>>
    readonly prompt: {
      readonly name: string
      readonly reasons: readonly string[]
      readonly details: Readonly<Record<string, unknown>>
    }
    readonly returnTo: string
    readonly lastSubmission?: Readonly<Record<string, unknown>>
    result?: Readonly<Record<string, unknown>>
    save(ttlSec: number): Promise<unknown>
  }

  export interface Token extends Model {
    readonly clientId: string
    readonly accountId?: string
    readonly grantId?: string
    readonly aud?: string
    readonly scope?: string
    readonly jkt?: string
    readonly scopes: ReadonlySet<string>
    generateTokenId(): string
    getValueAndPayload(): Promise<{ readonly value: string; readonly payload?: Payload }>
  }

  export interface IdToken {
    readonly available: Readonly<Record<string | symbol, unknown>>
    readonly client: Client
    payload(): Promise<Record<string, unknown>>
    issue(options: { readonly use: string }): Promise<string>
  }

  export interface Context {
    readonly req: IncomingMessage
    readonly oidc: {
      readonly route: string
      readonly client: Client
      readonly session: Session
      readonly account?: Account
      readonly grant?: Grant
      readonly params: Record<string, string | undefined> & {
        readonly prompt?: string | undefined
        readonly max_age?: string | undefined
        readonly acr_values?: string | undefined
        readonly claims?: string | undefined
        readonly id_token_hint?: string | undefined
      }
      readonly result?: Readonly<Record<string, unknown>>
      readonly entities: Readonly<Record<string, unknown>>
      readonly resourceServers: Readonly<Record<string, unknown>>
      readonly requestParamScopes: ReadonlySet<string>
      readonly prompts: Set<string>
      entity(name: string, value: unknown): void
    }
    body: unknown
    type: string
  }

  /** A class of models. */
  export interface ModelClass<Instance> {
    new (payload: object): Instance
    readonly prototype: Instance
    find(id: string, options?: object): Promise<Instance | undefined>
    instantiate(payload: object): Instance
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    proxy: boolean
    readonly AccessToken: ModelClass<Token>
    readonly AuthorizationCode: ModelClass<Token>
    readonly RefreshToken: ModelClass<Token>
    readonly DeviceCode: ModelClass<Token>
    readonly PushedAuthorizationRequest: ModelClass<Model>
    readonly Grant: ModelClass<Grant>
    readonly Interaction: ModelClass<Interaction>
    readonly Session: ModelClass<Session> & { get: (context: Context) => Promise<Session> }
    readonly Client: ModelClass<Client>
    readonly IdToken: {
      readonly prototype: IdToken
      validate: (token: string, client: Client) => Promise<{ readonly payload: object }>
    }
    readonly ReplayDetection: {
      unique: (iss: string, jti: string, expSec: number) => Promise<boolean>
    }
    readonly OIDCContext: { readonly prototype: Context['oidc'] }
    callback(): RequestListener
    on(event: 'server_error', listener: (context: Context, error: Error) => void): this
    on(
      event: 'error',
      listener: (error: Error & { readonly expose?: boolean }, context: Context) => void,
    ): this
    static readonly ctx: Context | undefined
  }

  export default Provider

  export class Check {
    constructor(
      reason: string,
      description: string,
      error: string,
      check: (context: Context) => boolean | Promise<boolean>,
      details?: (context: Context) => object | undefined,
    )
    readonly reason: string
  }

  export class Prompt {
    constructor(
      about: { readonly name: string; readonly requestable: boolean },
      details: (context: Context) => object,
      ...checks: Check[]
    )
    readonly checks: { remove(reason: string): void; get(reason: string): Check | undefined }
  }

  export const interactionPolicy: {
    readonly Check: typeof Check
    readonly Prompt: typeof Prompt
    base(): { get(name: string): Prompt | undefined }
  }

  type ErrorClass = new (description?: string) => Error & {
    error: string
    error_description?: string
    status: number
    statusCode: number
  }

  export const errors: Readonly<
    Record<
      | 'InvalidGrant'
      | 'InvalidRequestUri'
      | 'InvalidTarget'
      | 'InvalidRequest'
      | 'InvalidClientAuth'
      | 'TemporarilyUnavailable'
      | 'OIDCProviderError',
      ErrorClass
    >
  >
}
