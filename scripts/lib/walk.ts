/** The walk of `npm run demo`: what a client sees of an authority and of an API behind a guard. */

import { createSigner, generateSigningKey } from '@countersign/jwt'

export interface WalkOptions {
  readonly authorityUrl: string
  readonly apiUrl: string
  readonly username: string
  readonly password: string
  /** Milliseconds until an access token is refused by the guard, its clock tolerance included. */
  readonly accessDeadAfterMs: number
  readonly graceMs: number
  /** Gives the account a role, by a command beside the server; gives what that printed. */
  readonly addRole: (role: string) => Promise<string>
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Walks through everything once. Throws at the first answer that is not as promised. */
export async function walk(options: WalkOptions): Promise<void> {
  const { authorityUrl, apiUrl, username, password } = options

  say('Log in: one refresh token, one access token')
  const first = await post(`${authorityUrl}/api/token/`, { username, password })
  expectStatus(first, 200)
  const firstAccessDiesAt = Date.now() + options.accessDeadAfterMs

  say('Call an API: it verifies the token by itself, without asking the authority')
  expectStatus(await get(`${apiUrl}/me`, text(first, 'access')), 200)

  say('Without a token, and with one that somebody else signed: refused')
  expectStatus(await get(`${apiUrl}/me`), 401)
  expectStatus(await get(`${apiUrl}/me`, foreignToken(authorityUrl)), 401)
  say('A refresh token is no access token: refused')
  expectStatus(await get(`${apiUrl}/me`, text(first, 'refresh')), 401)

  say('Refresh: the next pair')
  const second = await refresh(authorityUrl, text(first, 'refresh'))
  expectStatus(second, 200)

  say('The same refresh token again at once, as a second tab sends it: the same successor')
  const again = await refresh(authorityUrl, text(first, 'refresh'))
  expectStatus(again, 200)
  expectTrue(
    text(again, 'refresh') === text(second, 'refresh'),
    'the refresh token is the very same as before',
  )

  await wait(options.graceMs, 'until that first refresh token is too old to be a second tab')
  say('The first refresh token once more: somebody copied it, the session ends')
  expectStatus(await refresh(authorityUrl, text(first, 'refresh')), 401)
  const copiedAt = performance.now()
  say('So the newest one is refused too, and the API refuses the access token that is still young')
  expectStatus(await refresh(authorityUrl, text(second, 'refresh')), 401)
  await expectRefused(apiUrl, text(second, 'access'), 'session_ended', copiedAt)

  say('Log in again. Somebody gives the account another role: its token is out of date, at once')
  const third = await post(`${authorityUrl}/api/token/`, { username, password })
  expectStatus(third, 200)
  expectStatus(await get(`${apiUrl}/me`, text(third, 'access')), 200)
  print(`  $ ${(await options.addRole('editor')).trim()}`)
  await expectRefused(apiUrl, text(third, 'access'), 'token_stale', performance.now())
  say('A refresh brings one that has the role, and nobody signs in again')
  const fourth = await refresh(authorityUrl, text(third, 'refresh'))
  expectStatus(fourth, 200)
  expectStatus(await get(`${apiUrl}/me`, text(fourth, 'access')), 200)

  say('Log out: the session ends')
  const leaving = { refresh: text(fourth, 'refresh') }
  expectStatus(await post(`${authorityUrl}/api/token/blacklist/`, leaving), 200)
  const leftAt = performance.now()
  say('The API refuses the access token, though it has not expired, and nothing refreshes')
  await expectRefused(apiUrl, text(fourth, 'access'), 'session_ended', leftAt)
  expectStatus(await refresh(authorityUrl, text(fourth, 'refresh')), 401)

  await wait(firstAccessDiesAt - Date.now(), 'until the first access token has expired')
  say('The expired access token: refused, without anybody having said so')
  const expired = await get(`${apiUrl}/me`, text(first, 'access'))
  expectStatus(expired, 401)
  expectTrue(expired.body['code'] === 'token_expired', 'the API says that it has expired')
  process.stdout.write('\nThe demo went as promised.\n')
}

/** What the product promises, and what the demo holds it to. */
const IN_FORCE_MS = 1_000

/** Asks until the API refuses the token with this code, and says how long that took since it was taken back. */
async function expectRefused(
  apiUrl: string,
  token: string,
  code: string,
  since: number,
): Promise<void> {
  const isRefused = async (): Promise<boolean> => {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${apiUrl}/me`, { headers })
    return response.status === 401 && ((await response.json()) as Answer['body'])['code'] === code
  }
  while (!(await isRefused()) && performance.now() - since < 2 * IN_FORCE_MS);
  const ms = Math.ceil(performance.now() - since)
  expectStatus(await get(`${apiUrl}/me`, token), 401)
  expectTrue(ms < IN_FORCE_MS, `the API refuses it as ${code}, ${ms} ms after it was taken back`)
}

function refresh(authorityUrl: string, token: string): Promise<Answer> {
  return post(`${authorityUrl}/api/token/refresh/`, { refresh: token })
}

/** Right in every claim, signed by nobody that the API trusts. */
function foreignToken(issuer: string): string {
  const now = Math.floor(Date.now() / 1000)
  return createSigner(generateSigningKey('ES256'), { typ: 'at+jwt' }).sign({
    iss: issuer,
    sub: 'acct_mallory',
    aud: issuer,
    exp: now + 300,
    iat: now,
    jti: '0'.repeat(32),
    client_id: 'first-party',
    sid: 'none',
    rvp: 0,
    roles: ['admin'],
  })
}

function post(url: string, body: Readonly<Record<string, string>>): Promise<Answer> {
  return send('POST', url, { 'content-type': 'application/json' }, JSON.stringify(body))
}

function get(url: string, accessToken?: string): Promise<Answer> {
  const headers: Record<string, string> =
    accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }
  return send('GET', url, headers)
}

async function send(
  method: string,
  url: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Answer> {
  const bearer = headers['authorization']
  print(`  > ${method} ${url}${bearer === undefined ? '' : `  ${hideTokens(bearer)}`}`)
  if (body !== undefined) print(`    ${hideSecrets(body)}`)
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
  const answer = await response.text()
  const challenge = response.headers.get('www-authenticate')
  print(`  < ${response.status}${challenge === null ? '' : `  WWW-Authenticate: ${challenge}`}`)
  print(`    ${hideSecrets(answer)}`)
  return { status: response.status, body: JSON.parse(answer) as Answer['body'] }
}

function hideSecrets(body: string): string {
  return hideTokens(body.replace(/"password":"[^"]*"/, '"password":"..."'))
}

/** What is printed ends up in logs and chats: of a token only its beginning, the same for all. */
function hideTokens(value: string): string {
  return value.replace(/(eyJ[\w-]{8})[\w-]*\.[\w-]+\.[\w-]+/g, '$1...')
}

function text(answer: Answer, name: string): string {
  const value = answer.body[name]
  if (typeof value !== 'string') throw new Error(`The answer has no "${name}".`)
  return value
}

function expectStatus(answer: Answer, status: number): void {
  if (answer.status !== status) {
    throw new Error(`The answer should have been ${status}, not ${answer.status}.`)
  }
}

function expectTrue(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`It should hold that ${claim}.`)
  print(`  = ${claim}`)
}

async function wait(ms: number, why: string): Promise<void> {
  if (ms <= 0) return
  print(`\n  (waiting ${(ms / 1000).toFixed(1)} s ${why})`)
  await new Promise((resolve) => setTimeout(resolve, ms))
}

function say(line: string): void {
  print(`\n${line}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
