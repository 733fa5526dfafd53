import { messageOf } from '../base/faults.ts'
import { readTextFile } from '../base/text-file.ts'
import {
  APPLICATION_GRANTS,
  AUTH_METHODS,
  DEVICE_GRANT,
  type RegistrationInput,
} from '../sso/registration.ts'
import { APPLICATION_MEMBERS } from './application-members.ts'
import type { Flag } from './command.ts'
import { UsageError } from './usage-error.ts'

/** The member that a flag sets. */
const LISTS: ReadonlySet<string> = new Set([
  'redirectUris',
  'postLogoutRedirectUris',
  'grants',
  'resources',
])
const CHOICES: ReadonlySet<string> = new Set(['firstParty', 'dpop'])

/** The flags that describe an application, for `create` and `change`. */
export const APPLICATION_FLAGS: Readonly<Record<string, Flag>> = {
  title: { type: 'string', value: 'TITLE', text: 'The name that people see. Without it: NAME.' },
  kind: {
    type: 'string',
    value: 'KIND',
    text: '`public` for a page or a native application, which cannot keep a secret. `confidential` for a server, which is the default.',
  },
  'redirect-uri': {
    type: 'string',
    multiple: true,
    value: 'URI',
    text: 'A URI to which people are sent back after they have logged in. Repeat it for several URIs.',
  },
  'post-logout-redirect-uri': {
    type: 'string',
    multiple: true,
    value: 'URI',
    text: 'A URI to which people are sent back after they have logged out.',
  },
  'backchannel-logout-uri': {
    type: 'string',
    value: 'URI',
    text: 'The URI at which the application gets logout tokens.',
  },
  'start-url': {
    type: 'string',
    value: 'URL',
    text: 'The page of the application at which an expired login begins again.',
  },
  'first-party': {
    type: 'string',
    value: 'yes|no',
    text: 'Whether the application belongs to you. People are then not asked for consent.',
  },
  grant: {
    type: 'string',
    multiple: true,
    value: 'GRANT',
    text: 'A grant: `authorization_code`, `refresh_token` or `device_code`. Without it: the first two.',
  },
  resource: {
    type: 'string',
    multiple: true,
    value: 'URI',
    text: 'The audience of another service for which the application may get access tokens.',
  },
  'auth-method': {
    type: 'string',
    value: 'METHOD',
    text: `How the application authenticates: ${AUTH_METHODS.map((each) => `\`${each}\``).join(', ')}.`,
  },
  jwks: {
    type: 'string',
    value: 'FILE',
    text: 'A file with the public keys of the application (a JWK set), for `private_key_jwt`.',
  },
  'jwks-uri': {
    type: 'string',
    value: 'URI',
    text: 'The URI at which the application publishes these keys.',
  },
  dpop: {
    type: 'string',
    value: 'yes|no',
    text: 'Whether all its tokens must be bound to a key (DPoP).',
  },
}

/**
 * Reads the flags that were given. An empty value removes what the flag sets. Throws a `UsageError` that names the flag
 * with a wrong value.
 */
export function readApplicationFlags(
  options: Readonly<Record<string, unknown>>,
): Partial<RegistrationInput> {
  const given: Partial<Record<keyof RegistrationInput, unknown>> = {}
  for (const [flag, member] of Object.entries(APPLICATION_MEMBERS)) {
    const value = options[flag]
    if (value !== undefined) given[member] = readFlag(flag, member, value)
  }
  // The manager parses every member.
  return given as Partial<RegistrationInput>
}

function readFlag(flag: string, member: keyof RegistrationInput, value: unknown): unknown {
  if (LISTS.has(member)) {
    // The flag may be repeated, so its values are a list.
    const values = (value as readonly string[]).filter((each) => each !== '')
    return member === 'grants' ? values.map(readGrant) : values
  }
  if (CHOICES.has(member)) {
    if (value === 'yes' || value === 'no') return value === 'yes'
    throw new UsageError(`--${flag} takes yes or no.`)
  }
  if (value === '') return undefined
  return member === 'jwks' ? readKeys(String(value)) : value
}

function readGrant(value: string): string {
  const grant = value === 'device_code' ? DEVICE_GRANT : value
  if (APPLICATION_GRANTS.some((each) => each === grant)) return grant
  throw new UsageError('--grant takes authorization_code, refresh_token or device_code.')
}

function readKeys(path: string): unknown {
  try {
    return JSON.parse(readTextFile(path))
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : messageOf(error)
    throw new UsageError(`--jwks: the file cannot be read: ${why}`)
  }
}
