import { createHash, randomBytes } from 'node:crypto'

import { systemClock } from '../../src/base/clock.ts'
import type { AuthorityConfig } from '../../src/authority.ts'
import type { NewApplication } from '../../src/sso/applications.ts'
import { CALLBACK, registerApplication } from './applications.ts'
import {
  ISSUER,
  openTestAuthority,
  PASSWORD,
  USERNAME,
  type Answering,
  type TestAuthority,
} from './authority.ts'
import { PageBrowser, type SeenPage } from './pages.ts'

export { CALLBACK }

/** Opens an authority at which applications log people in. Its clock is the one of the machine, as in the clients. */
export function openSsoAuthority(config: AuthorityConfig = {}): Promise<TestAuthority> {
  return openTestAuthority({ sso: true, clock: systemClock, ...config })
}

/** An application as its own code sees it. */
export interface App {
  readonly id: string
  readonly secret: string | undefined
  readonly redirectUri: string
}

/** Registers an application. */
export async function registerApp(
  it: TestAuthority,
  more: Partial<NewApplication> = {},
): Promise<App> {
  const { application, secret } = await registerApplication(it, more)
  return { id: application.id, secret, redirectUri: more.redirectUris?.[0] ?? CALLBACK }
}

/** The parameters of a login, and the verifier that belongs to them. */
export interface Login {
  readonly query: Readonly<Record<string, string>>
  readonly verifier: string
}

/** Makes the parameters of a login. Undefined leaves a parameter out. */
export function beginLogin(
  app: App,
  more: Readonly<Record<string, string | undefined>> = {},
): Login {
  const verifier = randomBytes(32).toString('base64url')
  const all = {
    client_id: app.id,
    redirect_uri: app.redirectUri,
    response_type: 'code',
    scope: 'openid',
    state: 'state-of-the-application',
    nonce: 'nonce-of-the-application',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  }
  const query = Object.fromEntries(
    Object.entries(all).filter((each): each is [string, string] => each[1] !== undefined),
  )
  return { query, verifier }
}

/** Where a browser has arrived: on a page of the server, or at an application. */
export type Arrival =
  | { readonly page: SeenPage; readonly url?: undefined }
  | { readonly page?: undefined; readonly url: URL }

/** A browser that goes to and fro between applications and the server. */
export class SsoBrowser extends PageBrowser {
  /** Follows a link of an application, and all redirects. */
  async goTo(
    path: string,
    query: Readonly<Record<string, string>> = {},
    site: 'cross-site' | 'same-origin' = 'cross-site',
  ): Promise<Arrival> {
    const search = new URLSearchParams(query).toString()
    const target = search === '' ? path : `${path}?${search}`
    return this.follow(await this.ask(target, { headers: { 'sec-fetch-site': site } }))
  }

  /** Follows the redirects of an answer, and pages that load another one at once. */
  async follow(page: SeenPage): Promise<Arrival> {
    const next = page.headers.get('location') ?? refreshOf(page)
    if (next === undefined) return { page }
    const url = new URL(next, ISSUER)
    if (url.origin !== ISSUER) return { url }
    const { pathname, search } = url
    return this.goTo(`${pathname}${search}`, {}, 'same-origin')
  }

  /** Presses a button, and follows what comes. */
  async pressAndFollow(
    page: SeenPage,
    values: Readonly<Record<string, string>> = {},
    button?: string,
  ): Promise<Arrival> {
    const pressed = button === undefined ? {} : { button }
    return this.follow(await this.press(page, values, pressed))
  }

  /** Logs in on the sign-in page, and follows what comes. */
  async signIn(page: SeenPage, username = USERNAME, password = PASSWORD): Promise<Arrival> {
    return this.pressAndFollow(page, { username, current_password: password })
  }
}

function refreshOf({ html }: SeenPage): string | undefined {
  return /http-equiv="refresh" content="0;url=([^"]*)"/
    .exec(html)?.[1]
    ?.replaceAll('&amp;', '&')
    .replaceAll('&#38;', '&')
}

/** The page on which a browser has arrived. Throws at an application. */
export function pageOf({ page, url }: Arrival): SeenPage {
  if (page === undefined) throw new Error(`The browser is at ${url.href}`)
  return page
}

/** The URL of the application at which a browser has arrived. Throws on a page of the server. */
export function urlOf({ page, url }: Arrival): URL {
  if (url === undefined) throw new Error(`The browser is at ${page.path}: ${page.text}`)
  return url
}

/** Logs a person in to an application with everything that is asked. Returns the URL of the application. */
export async function logInTo(
  browser: SsoBrowser,
  { query }: Login,
  username = USERNAME,
  password = PASSWORD,
): Promise<URL> {
  let arrival = await browser.goTo('/oauth2/authorize', query)
  for (let step = 0; step < 4 && arrival.page !== undefined; step++) {
    const { page } = arrival
    const isConsent = page.path.startsWith('/oauth2/interaction/')
    arrival = isConsent
      ? await browser.pressAndFollow(page, {}, 'Allow')
      : await browser.signIn(page, username, password)
  }
  return urlOf(arrival)
}

/** The answer of an endpoint that speaks JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

/** Sends a form as an application does, with its secret in a Basic header. */
export async function sendForm(
  it: Answering,
  path: string,
  app: App,
  form: Readonly<Record<string, string>>,
  {
    address = '198.51.100.20',
    headers = {},
  }: {
    readonly address?: string
    readonly headers?: Readonly<Record<string, string>>
  } = {},
): Promise<JsonAnswer> {
  const basic = Buffer.from(`${app.id}:${app.secret ?? ''}`).toString('base64')
  const response = await it.authority.fetch(
    new Request(`${ISSUER}${path}`, {
      method: 'POST',
      headers: {
        ...(app.secret === undefined ? {} : { authorization: `Basic ${basic}` }),
        ...headers,
      },
      body: new URLSearchParams({
        ...(app.secret === undefined ? { client_id: app.id } : {}),
        ...form,
      }),
    }),
    { address },
  )
  const text = await response.text()
  const body = (text === '' ? {} : JSON.parse(text)) as JsonAnswer['body']
  return { status: response.status, headers: response.headers, body }
}

/** Exchanges the code in a URL. */
export function exchange(
  it: Answering,
  app: App,
  { verifier }: Pick<Login, 'verifier'>,
  url: URL,
): Promise<JsonAnswer> {
  return sendForm(it, '/oauth2/token', app, {
    grant_type: 'authorization_code',
    code: url.searchParams.get('code') ?? '',
    redirect_uri: app.redirectUri,
    code_verifier: verifier,
  })
}

/** Refreshes. */
export function refreshWith(
  it: Answering,
  app: App,
  refreshToken: string,
  options: Parameters<typeof sendForm>[4] = {},
): Promise<JsonAnswer> {
  return sendForm(
    it,
    '/oauth2/token',
    app,
    { grant_type: 'refresh_token', refresh_token: refreshToken },
    options,
  )
}

/** The tokens of an application. */
export interface AppTokens {
  readonly access: string
  readonly refresh: string
  readonly id: string
}

/** Logs a person in, and exchanges the code. */
export async function tokensOf(
  it: TestAuthority,
  app: App,
  browser: SsoBrowser = new SsoBrowser(it),
  scope = 'openid offline_access',
): Promise<AppTokens> {
  const login = beginLogin(app, { scope })
  const answer = await exchange(it, app, login, await logInTo(browser, login))
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
  return readTokens(answer)
}

/** The tokens in an answer. A missing one is an empty text. */
export function readTokens({ body }: JsonAnswer): AppTokens {
  const text = (name: string): string => (typeof body[name] === 'string' ? body[name] : '')
  return {
    access: text('access_token'),
    refresh: text('refresh_token'),
    id: text('id_token'),
  }
}

/** The claims of a JWT, unchecked. */
export function claimsIn(token: string): Readonly<Record<string, unknown>> {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return JSON.parse(payload) as Readonly<Record<string, unknown>>
}
