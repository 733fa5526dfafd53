import { readdirSync, readFileSync } from 'node:fs'

import { errors, interactionPolicy, Provider } from 'oidc-provider'
import { expect, test } from 'vitest'

/**
 * What `src/sso/library` relies on in `oidc-provider`. A new version that changes one of these fails here, before a
 * login does. Read its source again before you raise the version.
 */
const READ = '9.13.3'

function openProvider(): Provider {
  return new Provider('https://auth.example.com', {
    adapter: () => ({}),
    jwks: { keys: [] },
    features: { devInteractions: { enabled: false } },
  })
}

test('the version is the one whose source was read', () => {
  const read = (path: string): Record<string, Record<string, string>> =>
    JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
  expect(read('../package.json')['dependencies']?.['oidc-provider']).toBe(READ)
})

test('every member that is replaced exists', () => {
  const provider = openProvider()
  const { AccessToken, RefreshToken, IdToken, Client, Session, ReplayDetection } = provider
  const members: readonly (readonly [object, string])[] = [
    [AccessToken.prototype, 'getValueAndPayload'],
    [RefreshToken.prototype, 'generateTokenId'],
    [IdToken.prototype, 'issue'],
    [IdToken.prototype, 'payload'],
    [IdToken, 'validate'],
    [Client.prototype, 'includeSid'],
    [Client.prototype, 'compareClientSecret'],
    [Client.prototype, 'redirectUriAllowed'],
    [Session, 'get'],
    [Session.prototype, 'sidFor'],
    [ReplayDetection, 'unique'],
    [provider.OIDCContext.prototype, 'prompts'],
  ]
  for (const [owner, name] of members) expect(name in owner, name).toBe(true)
  const own = Object.getOwnPropertyDescriptor(provider.OIDCContext.prototype, 'prompts') ?? {}
  expect('get' in own).toBe(true)
})

test('the library has the checks that ours replace, and no new ones', () => {
  const reasons = (name: string): readonly string[] =>
    [...((interactionPolicy.base().get(name)?.checks ?? []) as Iterable<{ reason: string }>)].map(
      ({ reason }) => reason,
    )
  expect(reasons('login')).toEqual([
    'login_prompt',
    'no_session',
    'max_age',
    'id_token_hint',
    'claims_id_token_sub_value',
    'essential_acrs',
    'essential_acr',
  ])
  expect(reasons('consent')).toEqual([
    'consent_prompt',
    'native_client_prompt',
    'op_scopes_missing',
    'op_claims_missing',
    'rs_scopes_missing',
    'rar_prompt',
  ])
})

test('the members of stored models are those that were read', () => {
  const { Session, Interaction, RefreshToken } = openProvider()
  const membersOf = (model: object): readonly string[] =>
    (model as { readonly IN_PAYLOAD: readonly string[] }).IN_PAYLOAD
  expect(membersOf(Session)).toEqual(
    expect.arrayContaining(['uid', 'accountId', 'authorizations', 'state']),
  )
  expect(membersOf(Interaction)).toEqual(
    expect.arrayContaining(['session', 'returnTo', 'lastSubmission', 'parJti']),
  )
  expect(membersOf(RefreshToken)).toEqual(expect.arrayContaining(['grantId', 'consumed', 'jkt']))
})

test('the errors that are thrown exist', () => {
  const { InvalidGrant, InvalidRequestUri, InvalidTarget, InvalidClientAuth } = errors
  for (const Refusal of [InvalidGrant, InvalidRequestUri, InvalidTarget, InvalidClientAuth]) {
    expect(new Refusal('why')).toBeInstanceOf(errors.OIDCProviderError)
  }
})

test('nothing else imports the library', () => {
  const source = new URL('../src/', import.meta.url)
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  const importing = files.filter(
    (file) =>
      file.endsWith('.ts') &&
      /from 'oidc-provider'/.test(readFileSync(new URL(file, source), 'utf8')),
  )
  expect(importing.length).toBeGreaterThan(10)
  expect(importing.filter((file) => !file.startsWith('sso/library/'))).toEqual([])
})
