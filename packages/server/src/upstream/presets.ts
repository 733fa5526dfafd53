import type { PlainEndpoints, PlainKind } from './provider.ts'

/** The facts about a provider that need no settings. */
export interface Preset {
  readonly title: string
  readonly scopes: readonly string[]
  readonly answersByForm?: boolean
  readonly protocol:
    | { readonly kind: 'openid'; readonly issuer: string }
    | { readonly kind: PlainKind; readonly issuer: string; readonly endpoints: PlainEndpoints }
}

const OPENID = ['openid', 'email', 'profile'] as const

/** The name of a provider that needs two settings only. */
export type PresetName =
  | 'google'
  | 'microsoft'
  | 'apple'
  | 'gitlab'
  | 'github'
  | 'x'
  | 'discord'
  | 'facebook'

/** The providers that need two settings only, in the order of their buttons. */
export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  google: {
    title: 'Google',
    scopes: OPENID,
    protocol: { kind: 'openid', issuer: 'https://accounts.google.com' },
  },
  microsoft: {
    title: 'Microsoft',
    scopes: OPENID,
    protocol: { kind: 'openid', issuer: 'https://login.microsoftonline.com/common/v2.0' },
  },
  apple: {
    title: 'Apple',
    scopes: ['openid', 'email'],
    // Apple requires it with the scope `email`.
    answersByForm: true,
    protocol: { kind: 'openid', issuer: 'https://appleid.apple.com' },
  },
  gitlab: {
    title: 'GitLab',
    scopes: OPENID,
    protocol: { kind: 'openid', issuer: 'https://gitlab.com' },
  },
  github: {
    title: 'GitHub',
    scopes: ['read:user', 'user:email'],
    protocol: {
      kind: 'github',
      issuer: 'github',
      endpoints: {
        authorization: 'https://github.com/login/oauth/authorize',
        token: 'https://github.com/login/oauth/access_token',
        profile: 'https://api.github.com/user',
        emails: 'https://api.github.com/user/emails',
      },
    },
  },
  x: {
    title: 'X',
    // X requires both for the profile.
    scopes: ['users.read', 'tweet.read'],
    protocol: {
      kind: 'x',
      issuer: 'x',
      endpoints: {
        authorization: 'https://x.com/i/oauth2/authorize',
        token: 'https://api.x.com/2/oauth2/token',
        profile: 'https://api.x.com/2/users/me',
      },
    },
  },
  discord: {
    title: 'Discord',
    scopes: ['identify', 'email'],
    protocol: {
      kind: 'discord',
      issuer: 'discord',
      endpoints: {
        authorization: 'https://discord.com/oauth2/authorize',
        token: 'https://discord.com/api/oauth2/token',
        profile: 'https://discord.com/api/users/@me',
      },
    },
  },
  facebook: {
    title: 'Facebook',
    scopes: ['public_profile', 'email'],
    protocol: {
      kind: 'facebook',
      issuer: 'facebook',
      endpoints: {
        authorization: 'https://www.facebook.com/v23.0/dialog/oauth',
        token: 'https://graph.facebook.com/v23.0/oauth/access_token',
        profile: 'https://graph.facebook.com/v23.0/me?fields=id,name,email',
      },
    },
  },
}

/** The issuer of Microsoft for one tenant, or for `common`, `organizations` or `consumers`. */
export function microsoftIssuer(tenant: string): string {
  return `https://login.microsoftonline.com/${tenant}/v2.0`
}
