import { setTimeout as sleep } from 'node:timers/promises'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { TestBrowser } from '../../packages/server/test/support/browser.ts'
import { totpAt } from '../../packages/server/test/support/factors.ts'
import type { HttpAnswer, HttpClient } from '../../packages/server/test/support/http-client.ts'
import type { SmtpTestServer } from '../../packages/server/test/support/smtp-server.ts'
import type { Cluster } from './cluster.ts'

export const PASSWORD = 'the long password of a person'

/** Somebody with an account and a verified address, who has just logged in. */
export interface Person extends Pair {
  readonly id: string
  readonly username: string
  readonly email: string
}

/** Somebody with an authenticator app. The code of the present half minute is used up, the next one is not. */
export interface AppPerson extends Person {
  readonly secret: string
  readonly recoveryCodes: readonly string[]
}

/** The members of a JSON answer with this status. Throws for another status. */
// The caller knows the shape.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function bodyOf<Body>(answer: HttpAnswer, status = 200): Body {
  if (answer.status !== status) throw new Error(`${answer.status} ${answer.text}`)
  return JSON.parse(answer.text) as Body
}

let people = 0

/** Signs somebody up. Sign-up is on in the cluster. */
export async function signUp(it: Cluster, http: HttpClient): Promise<Person> {
  const username = `person-${++people}`
  const email = `${username}@example.com`
  const answer = await http.post('/auth/signup', { username, password: PASSWORD })
  const { sub: id } = bodyOf<{ sub: string }>(answer, 201)
  await it.query(
    'UPDATE accounts SET email = $2, email_key = $2, email_verified_at = 1 WHERE id = $1',
    [id, email],
  )
  return { id, username, email, ...(await http.login({ username, password: PASSWORD })) }
}

/** Sends a POST with an access token. */
export function postAs(
  http: HttpClient,
  { access }: Pick<Pair, 'access'>,
  path: string,
  body: object = {},
): Promise<HttpAnswer> {
  return http.post(path, body, { authorization: `Bearer ${access}` })
}

/** Signs somebody up who then sets up an app. */
export async function signUpWithApp(it: Cluster, http: HttpClient): Promise<AppPerson> {
  const person = await signUp(it, http)
  const { challenge, secret } = bodyOf<{ challenge: string; secret: string }>(
    await postAs(http, person, '/auth/factors/totp/challenge'),
  )
  const code = totpAt(secret, Date.now())
  const added = bodyOf<Partial<Pair> & { recovery_codes: string[] }>(
    await postAs(http, person, '/auth/factors/totp', { challenge, code }),
  )
  return { ...person, ...added, secret, recoveryCodes: added.recovery_codes }
}

/** The first step of a login. Returns the ticket for the second one. */
export async function ticketOf(http: HttpClient, { username }: Person): Promise<string> {
  let answer = await http.post('/api/token/', { username, password: PASSWORD })
  // The fifty logins of the round before may still fill the queue of hashes.
  for (let tries = 0; answer.status === 503 && tries < 60; tries += 1) {
    await sleep(500)
    answer = await http.post('/api/token/', { username, password: PASSWORD })
  }
  return bodyOf<{ ticket: string }>(answer, 401).ticket
}

/** A code that counts once, although the code of the present half minute is used up. */
export function nextCode({ secret }: AppPerson): string {
  return totpAt(secret, Date.now(), 1)
}

/** Waits for a mail to somebody that contains a code, and returns the code and the link. */
export async function mailTo(
  smtp: SmtpTestServer,
  email: string,
): Promise<{ readonly code: string; readonly link: string }> {
  for (let waited = 0; waited < 1_200; waited += 1) {
    for (const { to, data } of smtp.received.toReversed()) {
      const code = /\b[B-Z]{4}-[B-Z]{4}\b/.exec(data)?.[0]
      if (!to.includes(email) || code === undefined) continue
      const joined = data.replaceAll('=\r\n', '').replaceAll('=3D', '=')
      return { code, link: /[?&]link=([\w.%-]+)/.exec(joined)?.[1] ?? '' }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`No mail with a code came to ${email}.`)
}

/** A browser with cookies, whose requests go through nginx. */
export function openBrowser(it: Cluster, http: HttpClient): TestBrowser {
  return new TestBrowser(
    {
      authority: {
        async fetch(request) {
          const { pathname, search } = new URL(request.url)
          const headers = Object.fromEntries(request.headers)
          const host = new URL(it.issuer).host
          const own = request.method === 'GET' ? { host } : { host, origin: it.issuer }
          const body = request.method === 'GET' ? undefined : await request.text()
          const sent = { ...headers, ...own }
          const answer = await http.send(request.method, `${pathname}${search}`, sent, body)
          const received = Object.entries(answer.headers).flatMap(([name, value]) =>
            [value ?? []].flat().map((each): [string, string] => [name, each]),
          )
          const isEmpty = answer.status === 204
          return new Response(isEmpty ? null : answer.text, {
            status: answer.status,
            headers: received.filter(([name]) => name !== 'content-length'),
          })
        },
      },
    },
    '127.0.0.1',
  )
}
