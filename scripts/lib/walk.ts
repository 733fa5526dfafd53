/** The steps of `npm run demo`: requests to an authority and to an API behind a guard. */

import { createSigner, generateSigningKey } from '@countersign/jwt'

export interface WalkOptions {
  readonly authorityUrl: string
  readonly apiUrl: string
  readonly username: string
  readonly password: string
  /**
   * How many milliseconds after its issue the guard rejects an access token as expired, including its clock
   * tolerance.
   */
  readonly accessDeadAfterMs: number
  readonly graceMs: number
  /** Adds a role to the account with a command, while the server runs. Returns the output of the command. */
  readonly addRole: (role: string) => Promise<string>
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/**
 * Runs all steps. Throws at the first answer that differs from the expected one. Not split: it reads as one
 * story.
 */
export async function walk(options: WalkOptions): Promise<void> {
  const { authorityUrl, apiUrl, username, password } = options

  say('Log in: returns an access token and a refresh token')
  const first = await post(`${authorityUrl}/api/token/`, { username, password })
  expectStatus(first, 200)
  const firstAccessDiesAt = Date.now() + options.accessDeadAfterMs

  say('Call an API: it verifies the token locally, without asking the authority')
  expectStatus(await get(`${apiUrl}/me`, text(first, 'access')), 200)

  say('Without a token, or with a token that somebody else signed: rejected')
  expectStatus(await get(`${apiUrl}/me`), 401)
  expectStatus(await get(`${apiUrl}/me`, foreignToken(authorityUrl)), 401)
  say('With a refresh token instead of an access token: rejected')
  expectStatus(await get(`${apiUrl}/me`, text(first, 'refresh')), 401)

  say('Refresh: returns the next two tokens')
  const second = await refresh(authorityUrl, text(first, 'refresh'))
  expectStatus(second, 200)

  say('Use the same refresh token again at once, as a second tab would: returns the same successor')
  const again = await refresh(authorityUrl, text(first, 'refresh'))
  expectStatus(again, 200)
  expectTrue(
    text(again, 'refresh') === text(second, 'refresh'),
    'the refresh token is the same as before',
  )

  await wait(options.graceMs, 'until the grace period of the first refresh token is over')
  say('Use the first refresh token once more: it was copied, so the session ends')
  expectStatus(await refresh(authorityUrl, text(first, 'refresh')), 401)
  const copiedAt = performance.now()
  say(
    'The newest refresh token is rejected too, and the API rejects the access token before it expires',
  )
  expectStatus(await refresh(authorityUrl, text(second, 'refresh')), 401)
  await expectRefused(apiUrl, text(second, 'access'), 'session_ended', copiedAt)

  say('Log in again, then give the account another role: its access token is stale at once')
  const third = await post(`${authorityUrl}/api/token/`, { username, password })
  expectStatus(third, 200)
  expectStatus(await get(`${apiUrl}/me`, text(third, 'access')), 200)
  print(`  $ ${(await options.addRole('editor')).trim()}`)
  await expectRefused(apiUrl, text(third, 'access'), 'token_stale', performance.now())
  say('Refresh: returns an access token with the new role, and nobody has to log in again')
  const fourth = await refresh(authorityUrl, text(third, 'refresh'))
  expectStatus(fourth, 200)
  expectStatus(await get(`${apiUrl}/me`, text(fourth, 'access')), 200)

  say('Log out: the session ends')
  const leaving = { refresh: text(fourth, 'refresh') }
  expectStatus(await post(`${authorityUrl}/api/token/blacklist/`, leaving), 200)
  const leftAt = performance.now()
  say('The API rejects the access token before it expires, and the refresh token is rejected')
  await expectRefused(apiUrl, text(fourth, 'access'), 'session_ended', leftAt)
  expectStatus(await refresh(authorityUrl, text(fourth, 'refresh')), 401)

  await wait(firstAccessDiesAt - Date.now(), 'until the first access token has expired')
  say('Use the expired access token: rejected, without any message from the authority')
  const expired = await get(`${apiUrl}/me`, text(first, 'access'))
  expectStatus(expired, 401)
  expectTrue(expired.body['code'] === 'token_expired', 'the API answers that the token has expired')
  process.stdout.write('\nEvery step of the demo passed.\n')
}

/** The promise that the demo checks: a revocation takes effect within a second. */
const IN_FORCE_MS = 1_000

/** Repeats a request until the API rejects the token with this code. Prints the time since the revocation. */
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
  expectTrue(ms < IN_FORCE_MS, `the API rejects it with ${code}, ${ms} ms after it was revoked`)
}

function refresh(authorityUrl: string, token: string): Promise<Answer> {
  return post(`${authorityUrl}/api/token/refresh/`, { refresh: token })
}

/** Makes a token with correct claims, signed with a key that the API does not trust. */
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

/** Output is copied to logs and chats. It shows only the beginning of a token, which all tokens share. */
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
    throw new Error(`The answer is ${answer.status}; the demo expects ${status}.`)
  }
}

function expectTrue(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`The demo expects that ${claim}.`)
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
