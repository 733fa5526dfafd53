import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { Provider, type Context } from 'oidc-provider'

import { ISSUER } from './authority.ts'

declare module 'oidc-provider' {
  // The server has pages of its own in place of this method.
  interface Provider {
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: object,
    ): Promise<void>
  }
}

/** The client of the authority at every provider of the tests. */
export const CLIENT = { id: 'countersign', secret: 'the-secret-of-countersign-0123456789' } as const

/** The claims of a provider about a person. */
export type Person = Readonly<Record<string, unknown>>

/** A real OpenID Connect provider in which people choose who they are. */
export interface Issuer extends AsyncDisposable {
  readonly url: string
  /** The people, by their subject. */
  readonly people: Map<string, Person>
}

/** The path at which a provider sends browsers back to the authority. */
export function callbackOf(name: string): string {
  return `/auth/upstream/${name}/callback`
}

/** Starts a provider for the authority at `publicUrl`, where it is called `names`. */
export async function startIssuer({
  names = ['work'],
  publicUrl = ISSUER,
}: { readonly names?: readonly string[]; readonly publicUrl?: string } = {}): Promise<Issuer> {
  const people = new Map<string, Person>()
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  // A server that listens on a port has an address of this kind.
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  const provider = new Provider(url, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: names.map((name) => `${publicUrl}${callbackOf(name)}`),
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    pkce: { required: () => true },
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'groups'],
    },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ ...people.get(sub), sub }),
    }),
    features: { devInteractions: { enabled: false } },
    interactions: {
      url: (_context: unknown, { uid }: { readonly uid: string }) => `/choose/${uid}`,
    },
    loadExistingGrant: async ({ oidc: { client, session } }: Context) => {
      const grant = new provider.Grant({
        clientId: client.clientId,
        accountId: session.accountId,
      })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
    cookies: { keys: ['the-key-of-the-cookies-of-the-provider'] },
  })
  provider.on('server_error', (_context, error) => console.error(error))
  const callback = provider.callback()

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', url)
    // The provider remembers nobody, so that a person chooses at each log-in.
    if (pathname === '/auth') delete request.headers.cookie
    if (!pathname.startsWith('/choose/')) return callback(request, response)
    const who = searchParams.get('who')
    if (who === null) return answerChoice(response, pathname, people)
    const result =
      who === '' ? { error: 'access_denied' } : { login: { accountId: who, remember: false } }
    await provider.interactionFinished(request, response, result)
  }

  return {
    url,
    people,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answerChoice(
  response: ServerResponse,
  path: string,
  people: ReadonlyMap<string, Person>,
): void {
  const links = [...people.keys()].map((sub) => `<a href="${path}?who=${sub}">I am ${sub}</a>`)
  response.setHeader('content-type', 'text/html')
  response.end(`<!doctype html><title>The provider</title><h1>Who are you?</h1>${links.join(' ')}`)
}

/** A browser at the provider. It keeps the cookies of the provider apart from those of the authority. */
export class IssuerBrowser {
  readonly #cookies = new Map<string, string>()

  /** Goes to the provider as a person, and returns the path at the authority to which the provider sends the browser. */
  async goAs(who: string, location: string | null): Promise<string> {
    let url = new URL(location ?? '')
    const { origin } = url
    for (let hops = 0; hops < 10; hops += 1) {
      if (url.origin !== origin) return `${url.pathname}${url.search}`
      if (url.pathname.startsWith('/choose/')) url.searchParams.set('who', who)
      url = await this.#step(url)
    }
    throw new Error(`The provider did not send the browser back: ${url.href}`)
  }

  async #step(url: URL): Promise<URL> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      this.#cookies.set(name, value)
    }
    const next = response.headers.get('location')
    if (next === null) {
      throw new Error(`${url.pathname} answered ${response.status}: ${await response.text()}`)
    }
    return new URL(next, url)
  }
}
