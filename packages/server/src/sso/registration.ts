import { z } from 'zod'

import { findClosest } from '../base/closest.ts'
import { limits } from '../base/limits.ts'
import { checkClientKeys, type ClientKeys } from './client-keys.ts'
import { checkCalledUrl, checkRedirectUri } from './redirect-uris.ts'

/** The grant of devices without a browser (RFC 8628 §3.4). */
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** The grants that an application can register. */
export const APPLICATION_GRANTS = ['authorization_code', 'refresh_token', DEVICE_GRANT] as const

/** How an application authenticates at the token endpoint (OpenID Connect Core 1.0 §9). */
export const AUTH_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const

/** A grant that an application can register. */
export type ApplicationGrant = (typeof APPLICATION_GRANTS)[number]

/** A way in which an application authenticates. */
export type AuthMethod = (typeof AUTH_METHODS)[number]

/** The registration of an application: the JSON in `Application.registration`. */
export interface Registration {
  /** Whether it can keep a secret (RFC 6749 §2.1). A page or a native application cannot: it is `public`. */
  readonly kind: 'public' | 'confidential'
  /** `none` for public applications, and only for them. */
  readonly authMethod: AuthMethod
  /** Where people are sent back to after they signed in. Compared with `isRegisteredRedirect`. */
  readonly redirectUris: readonly string[]
  /** Where people are sent back to after they logged out (OpenID Connect RP-Initiated Logout 1.0 §3.1). */
  readonly postLogoutRedirectUris: readonly string[]
  /** Gets a logout token when a session ends (OpenID Connect Back-Channel Logout 1.0 §2.2). */
  readonly backchannelLogoutUri?: string | undefined
  /** The page of the application at which a login begins again after it has expired. */
  readonly startUrl?: string | undefined
  /** Whether it belongs to the operator. People are then not asked for consent. */
  readonly firstParty: boolean
  readonly grants: readonly ApplicationGrant[]
  /** The resources (RFC 8707) besides the server's own audience for which it may ask for access tokens. */
  readonly resources: readonly string[]
  /** The keys of `private_key_jwt`. */
  readonly jwks?: ClientKeys | undefined
  /** Where the keys of `private_key_jwt` are published. */
  readonly jwksUri?: string | undefined
  /** Whether all its tokens must be bound to a key (RFC 9449 §5.2). */
  readonly dpop: boolean
}

/** The registration of an application as a person or a file writes it. Members with a default can be missing. */
export type RegistrationInput = Pick<Registration, 'kind'> & {
  readonly [K in keyof Registration]?: Registration[K] | undefined
}

/** One mistake in a registration. */
export interface RegistrationProblem {
  /** The member, such as `redirectUris[0]`. */
  readonly member: string
  /** The problem, as the end of a sentence that begins with the member. */
  readonly text: string
}

/** A registration, or all its mistakes. */
export type ParsedRegistration =
  | { readonly ok: true; readonly registration: Registration }
  | { readonly ok: false; readonly problems: readonly RegistrationProblem[] }

/**
 * Parses what an operator, a file or an embedding application says about an application. `production` is stricter:
 * neither `localhost` nor plain http to this machine, except for loopback redirects.
 */
export function parseRegistration(
  input: unknown,
  { production }: { readonly production: boolean },
): ParsedRegistration {
  const result = schemaFor(production).safeParse(input)
  if (result.success) return { ok: true, registration: result.data }
  return { ok: false, problems: result.error.issues.flatMap(toProblems) }
}

/**
 * Returns a registration with some members replaced. A change of the kind or the keys also changes how the application
 * authenticates, unless the changes say how.
 */
export function mergeRegistration(
  current: Registration,
  changes: Partial<RegistrationInput>,
): RegistrationInput {
  const { authMethod, jwks, jwksUri, ...kept } = current
  const isOther = ['kind', 'authMethod', 'jwks', 'jwksUri'].some((each) =>
    Object.hasOwn(changes, each),
  )
  return { ...kept, ...(isOther ? {} : { authMethod, jwks, jwksUri }), ...changes }
}

/** Whether the application authenticates with a secret. */
export function usesSecrets({ authMethod }: Registration): boolean {
  return authMethod === 'client_secret_basic' || authMethod === 'client_secret_post'
}

/** Reads the registration of a stored application. Throws if it is not one, which is a bug or a broken row. */
export function readRegistration(json: string): Registration {
  // Production may read what development has written: the row was checked when it was written.
  return schemaFor(false).parse(JSON.parse(json))
}

/** The names of all members. */
export const REGISTRATION_MEMBERS: readonly (keyof Registration)[] = [
  'kind',
  'authMethod',
  'redirectUris',
  'postLogoutRedirectUris',
  'backchannelLogoutUri',
  'startUrl',
  'firstParty',
  'grants',
  'resources',
  'jwks',
  'jwksUri',
  'dpop',
]

// Made with the first registration: most processes need none.
function makeShape() {
  const uris = z
    .array(z.string('must be text'), 'must be a list of URIs')
    .max(limits.redirectUrisMax, `must have at most ${limits.redirectUrisMax} URIs`)
    .refine((list) => new Set(list).size === list.length, 'must name each URI once')
    .default([])
  return z.strictObject(
    {
      kind: z.enum(['public', 'confidential'], 'must be public or confidential'),
      authMethod: z.enum(AUTH_METHODS, `must be one of ${AUTH_METHODS.join(', ')}`).optional(),
      redirectUris: uris,
      postLogoutRedirectUris: uris,
      backchannelLogoutUri: z.string('must be text').optional(),
      startUrl: z.string('must be text').optional(),
      firstParty: z.boolean('must be true or false').default(false),
      grants: z
        .array(z.enum(APPLICATION_GRANTS, `must be one of ${APPLICATION_GRANTS.join(', ')}`))
        .refine((list) => new Set(list).size === list.length, 'must name each grant once')
        .default(['authorization_code', 'refresh_token']),
      resources: uris,
      jwks: z
        .object({ keys: z.array(z.record(z.string(), z.unknown())) }, 'must be a JWK set')
        .optional(),
      jwksUri: z.string('must be text').optional(),
      dpop: z.boolean('must be true or false').default(false),
    },
    'must be an object',
  )
}

type Shape = z.output<ReturnType<typeof makeShape>>
type Report = (member: string, text: string | undefined) => void

const schemas = new Map<boolean, z.ZodType<Registration>>()

function schemaFor(production: boolean): z.ZodType<Registration> {
  const known = schemas.get(production)
  if (known !== undefined) return known
  const schema = makeShape()
    .superRefine((given, context) => {
      const report: Report = (member, message) => {
        if (message !== undefined) context.addIssue({ code: 'custom', path: [member], message })
      }
      checkUris(given, production, report)
      checkAuthentication(given, report)
      checkGrants(given, report)
    })
    // Always the same order: equal registrations are equal texts.
    .transform((given) => {
      const { kind, authMethod: _, ...others } = given
      return { kind, authMethod: methodOf(given), ...others }
    })
  schemas.set(production, schema)
  return schema
}

function checkUris(given: Shape, production: boolean, report: Report): void {
  const rules = { production, ownSchemes: given.kind === 'public' }
  for (const member of ['redirectUris', 'postLogoutRedirectUris'] as const) {
    given[member].forEach((uri, index) =>
      report(`${member}[${index}]`, checkRedirectUri(uri, rules)),
    )
  }
  given.resources.forEach((uri, index) => report(`resources[${index}]`, checkResource(uri)))
  for (const member of ['backchannelLogoutUri', 'jwksUri'] as const) {
    const url = given[member]
    if (url !== undefined) report(member, checkCalledUrl(url, production))
  }
  if (given.startUrl !== undefined) {
    report('startUrl', checkRedirectUri(given.startUrl, { production, ownSchemes: false }))
  }
}

/** A resource is an absolute URI without a fragment (RFC 8707 §2), compared byte by byte. */
function checkResource(uri: string): string | undefined {
  const isUri = /^[a-z][\da-z+.-]*:[!-~]+$/i.test(uri) && URL.canParse(uri) && !uri.includes('#')
  return isUri && uri.length <= limits.issuerCharsMax
    ? undefined
    : `must be an absolute URI without fragment, of at most ${limits.issuerCharsMax} characters`
}

function methodOf({ kind, authMethod, jwks, jwksUri }: Shape): AuthMethod {
  if (authMethod !== undefined) return authMethod
  if (kind === 'public') return 'none'
  return jwks === undefined && jwksUri === undefined ? 'client_secret_basic' : 'private_key_jwt'
}

function checkAuthentication(given: Shape, report: Report): void {
  const { kind, jwks, jwksUri } = given
  const method = methodOf(given)
  if (kind === 'public' && method !== 'none') {
    report('authMethod', 'must be none for a public application, which cannot keep a secret')
  }
  if (kind === 'confidential' && method === 'none') {
    report('authMethod', 'must not be none for a confidential application')
  }
  const sets = [jwks, jwksUri].filter((each) => each !== undefined).length
  if (method === 'private_key_jwt' && sets !== 1) {
    report('jwks', 'or jwksUri is needed for private_key_jwt, and not both')
  }
  if (method !== 'private_key_jwt' && sets > 0) {
    report(
      jwks === undefined ? 'jwksUri' : 'jwks',
      'is for applications with the authMethod private_key_jwt',
    )
  }
  if (jwks !== undefined) report('jwks', checkClientKeys(jwks))
}

function checkGrants({ grants, redirectUris }: Shape, report: Report): void {
  const hasCode = grants.includes('authorization_code')
  if (!hasCode && !grants.includes(DEVICE_GRANT)) {
    report('grants', `must contain authorization_code or ${DEVICE_GRANT}`)
  }
  if (hasCode && redirectUris.length === 0) {
    report('redirectUris', 'must have at least one URI for the grant authorization_code')
  }
  if (!hasCode && redirectUris.length > 0) {
    report('redirectUris', 'must be empty without the grant authorization_code')
  }
}

function toProblems(issue: z.core.$ZodIssue): readonly RegistrationProblem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map(explainUnknown)
  const [first = 'registration', ...rest] = issue.path
  const member = rest.reduce<string>(
    (path, part) => path + (typeof part === 'number' ? `[${part}]` : `.${String(part)}`),
    String(first),
  )
  return [{ member, text: issue.message }]
}

function explainUnknown(member: string): RegistrationProblem {
  const meant = findClosest(member, REGISTRATION_MEMBERS)
  const advice =
    meant === undefined
      ? `The members are ${REGISTRATION_MEMBERS.join(', ')}`
      : `Did you mean ${meant}?`
  return { member, text: `is not a member of a registration. ${advice}` }
}
