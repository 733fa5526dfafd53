import { ISSUER, PASSWORD, USERNAME, type Answering } from './authority.ts'
import { readAnswer, type Answer } from './contract.ts'

export interface Visit {
  readonly method?: string
  readonly body?: unknown
  /** Replaces headers that a browser would send. Undefined leaves a header out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Without the CSRF token that the page knows. */
  readonly withoutToken?: boolean
}

/** Handles cookies like a browser, for one page on the origin of the server. */
export class TestBrowser {
  readonly cookies = new Map<string, string>()
  /** Every Set-Cookie line received. */
  readonly lines: string[] = []
  /** The last CSRF token that the page received. */
  csrfToken: string | undefined
  readonly #it: Answering
  readonly #address: string

  constructor(it: Answering, address = '203.0.113.7') {
    this.#it = it
    this.#address = address
  }

  async visit(
    path: string,
    { method = 'POST', body, headers = {}, withoutToken }: Visit = {},
  ): Promise<Answer> {
    const sent: Record<string, string | undefined> = {
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      'sec-fetch-site': 'same-origin',
      ...(method === 'GET' ? {} : { origin: ISSUER }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.cookies.size === 0 ? {} : { cookie: this.cookieHeader() }),
      ...(withoutToken === true || method === 'GET' ? {} : { 'x-csrf-token': this.csrfToken }),
      ...headers,
    }
    const given = Object.entries(sent).filter(
      (each): each is [string, string] => each[1] !== undefined,
    )
    const request = new Request(`${ISSUER}${path}`, {
      method,
      headers: given,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const response = await this.#it.authority.fetch(request, { address: this.#address })
    for (const line of response.headers.getSetCookie()) this.keep(line)
    const answer = await readAnswer(response)
    const token = tokenOf(answer)
    if (token !== undefined) this.csrfToken = token
    return answer
  }

  get(path: string, visit: Visit = {}): Promise<Answer> {
    return this.visit(path, { ...visit, method: 'GET' })
  }

  /** Fetches a CSRF token and logs in. */
  async login(credentials: object = { username: USERNAME, password: PASSWORD }): Promise<Answer> {
    await this.get('/auth/csrf')
    return this.visit('/auth/login', { body: credentials })
  }

  cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** Does what a Set-Cookie line says. */
  keep(line: string): void {
    this.lines.push(line)
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/; (?:Max-Age=0|Expires=Thu, 01 Jan 1970[^;]*)(?:;|$)/i.test(line))
      this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

function tokenOf({ text }: Answer): string | undefined {
  if (!text.startsWith('{')) return undefined
  const { csrf_token: token } = JSON.parse(text) as { csrf_token?: string }
  return token
}

/** The members of a JSON answer. */
export function membersOf({ text }: Answer): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>
}
