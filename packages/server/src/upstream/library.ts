/** The client library for OAuth 2 and OpenID Connect, as a type. It is loaded when the first person uses it. */
export type OpenidClient = typeof import('openid-client')

/** Loads the library. Servers without providers never load it. */
export function loadOpenidClient(): Promise<OpenidClient> {
  return import('openid-client')
}
