import type { z } from 'zod'

import { flag, list, text } from './settings-schemas.ts'

const GUIDE = '[guide](../social-login.md)'

/** A row of the table of settings. */
export interface Row {
  readonly env: string
  readonly schema: z.ZodOptional<z.ZodString>
  readonly describe: string
}

function clientId(variable: string, title: string): Row {
  return {
    env: `COUNTERSIGN_UPSTREAM_${variable}_ID`,
    schema: text('a client id').optional(),
    describe: `The client id of this server at ${title}. People can then log in with ${title} (${GUIDE}).`,
  }
}

function clientSecret(variable: string, title: string): Row {
  return {
    env: `COUNTERSIGN_UPSTREAM_${variable}_SECRET`,
    schema: text('a client secret').optional(),
    describe: `The client secret of this server at ${title}.`,
  }
}

function other(variable: string, values: string, describe: string): Row {
  return { env: `COUNTERSIGN_UPSTREAM_${variable}`, schema: text(values).optional(), describe }
}

/** The settings of log-in with other identities. They are a part of the table of all settings. */
export const upstreamTable = {
  upstreamGoogleId: clientId('GOOGLE', 'Google'),
  upstreamGoogleSecret: clientSecret('GOOGLE', 'Google'),
  upstreamMicrosoftId: clientId('MICROSOFT', 'Microsoft'),
  upstreamMicrosoftSecret: clientSecret('MICROSOFT', 'Microsoft'),
  upstreamMicrosoftTenant: other(
    'MICROSOFT_TENANT',
    'the id of a tenant, `common`, `organizations` or `consumers`',
    'Whose accounts at Microsoft can log in: those of one tenant, or all. Without it: `common`, which is all.',
  ),
  upstreamAppleId: clientId('APPLE', 'Apple'),
  upstreamAppleTeamId: other('APPLE_TEAM_ID', 'the id of a team', 'Your team at Apple.'),
  upstreamAppleKeyId: other('APPLE_KEY_ID', 'the id of a key', 'The key of your team at Apple.'),
  upstreamAppleKeyFile: other(
    'APPLE_KEY_FILE',
    'a path',
    'The private key, as Apple offers it for download. The server signs a client secret with it for each log-in, so none expires.',
  ),
  upstreamGitlabId: clientId('GITLAB', 'GitLab'),
  upstreamGitlabSecret: clientSecret('GITLAB', 'GitLab'),
  upstreamGithubId: clientId('GITHUB', 'GitHub'),
  upstreamGithubSecret: clientSecret('GITHUB', 'GitHub'),
  upstreamXId: clientId('X', 'X'),
  upstreamXSecret: clientSecret('X', 'X'),
  upstreamDiscordId: clientId('DISCORD', 'Discord'),
  upstreamDiscordSecret: clientSecret('DISCORD', 'Discord'),
  upstreamFacebookId: clientId('FACEBOOK', 'Facebook'),
  upstreamFacebookSecret: clientSecret('FACEBOOK', 'Facebook'),
  upstreamIssuer: other(
    'ISSUER',
    'a URL',
    'The issuer of any OpenID Connect provider, exactly as its discovery document writes it. Its name in paths is `openid`.',
  ),
  upstreamId: other('ID', 'a client id', 'The client id of this server at that issuer.'),
  upstreamSecret: other(
    'SECRET',
    'a client secret',
    'The client secret of this server at that issuer. Without it, the server is a public client.',
  ),
  upstreamTitle: other(
    'TITLE',
    'text',
    'The name of that issuer on its button. Without it: the host of its URL.',
  ),
  upstreamsFile: {
    env: 'COUNTERSIGN_UPSTREAMS_FILE',
    schema: text('a path').optional(),
    describe: `A JSON file with further providers, with secrets in files, scopes, and roles from groups (${GUIDE}).`,
  },
  upstreamSignUp: {
    env: 'COUNTERSIGN_UPSTREAM_SIGN_UP',
    schema: flag().optional(),
    describe:
      'Whether an unknown identity creates an account. Without it: as `COUNTERSIGN_SIGN_UP` or `COUNTERSIGN_SIGN_UP_VERIFIED`.',
  },
  upstreamRedirects: {
    env: 'COUNTERSIGN_UPSTREAM_REDIRECTS',
    schema: list()
      .refine(
        (values) => values.every(isRedirect),
        'must be URLs such as com.example.app:/log-in, separated by commas, without a fragment',
      )
      .meta({ values: 'URLs, separated by commas: `com.example.app:/log-in`' }),
    describe:
      'Where mobile applications get their code after a log-in with another identity. Each is compared exactly. Pages of `COUNTERSIGN_ORIGINS` need no entry.',
  },
} as const

/** An https URL, http on this machine, or a scheme of an application, which has a dot (RFC 8252 §7.1). */
function isRedirect(value: string): boolean {
  const url = URL.parse(value)
  if (url === null || url.hash !== '' || url.username !== '' || url.password !== '') return false
  if (url.protocol === 'https:') return true
  if (url.protocol === 'http:') return /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  return /^[a-z][a-z\d+-]*(?:\.[a-z\d+-]+)+:$/.test(url.protocol)
}
