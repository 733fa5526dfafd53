import fc from 'fast-check'

import { ISSUER, openTestAuthority, PASSWORD, USERNAME, type TestAuthority } from './authority.ts'
import { TestBrowser } from './browser.ts'
import { askWithSecret, basic, newClient, tokenOf, type TestClient } from './clients.ts'
import { readAnswer, type Answer } from './contract.ts'
import {
  readDocument,
  schemaChecker,
  type OpenApi,
  type Operation,
  type ResponseObject,
} from './openapi.ts'
import { requestsOf, takesSlash, type Plan, type PlannedBody } from './openapi-requests.ts'

/** How often each operation answered with each status: `logOut 204`. */
export type Seen = ReadonlyMap<string, number>

/**
 * Sends requests that are made from the server's own OpenAPI document, on a real database. Throws on the
 * first answer that is a 5xx or that the document does not describe. `change` makes a wrong document.
 */
export async function runGeneratedClient(
  requests: number,
  change: (document: OpenApi) => OpenApi = (document) => document,
): Promise<{ readonly seen: Seen; readonly document: OpenApi }> {
  await using it = await openTestAuthority({ signUp: true })
  const document = change(await readDocument(it))
  const world = await openWorld(it)
  const check = createCheck(document)
  const seen = new Map<string, number>()
  const property = fc.asyncProperty(requestsOf(document), async (plan) => {
    await world.keepLoggedIn()
    const answer = await readAnswer(await world.send(plan))
    const mistakes = check(plan, answer)
    if (mistakes.length > 0) {
      const text = answer.text.slice(0, 500)
      throw new Error([`it answered ${answer.status} ${text}`, ...mistakes].join('\n'))
    }
    world.note(plan, answer)
    const key = `${operationAt(document, plan)?.operationId ?? plan.method} ${answer.status}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
  })
  // No shrinking: each answer depends on the requests before it.
  const run = await fc.check(property, { numRuns: requests, endOnFailure: true })
  if (run.failed) {
    const why = run.errorInstance instanceof Error ? run.errorInstance.message : ''
    const at = JSON.stringify({ seed: run.seed, path: run.counterexamplePath })
    throw new Error(`${JSON.stringify(run.counterexample)}\n${why}\n${at}`)
  }
  return { seen, document }
}

/** The operation that answers a planned request. HEAD is answered as GET. */
function operationAt({ paths }: OpenApi, { path, method }: Plan): Operation | undefined {
  return paths[path]?.[method === 'HEAD' ? 'get' : method.toLowerCase()]
}

function createCheck(document: OpenApi): (plan: Plan, answer: Answer) => string[] {
  const check = schemaChecker()

  return (plan, answer) => {
    const { status, headers } = answer
    if (status >= 500) return ['a client never gets a 5xx for what it sent']
    const url = urlOf(plan, (text) => text)
    const isServed = !url.includes('%') && (!plan.slash || takesSlash(plan.path))
    if (!isServed) return status === 404 ? [] : ['a path that is not documented must get 404']
    const operation = operationAt(document, plan)
    if (operation === undefined) return checkMethod(plan, answer)
    const response = operation.responses[String(status)]
    if (response === undefined) return [`the status ${status} is not documented`]
    if (
      headers.get('x-content-type-options') !== 'nosniff' &&
      status !== 304 &&
      answer.text !== ''
    ) {
      return ['nosniff is missing']
    }
    return checkBody(plan, answer, response)
  }

  function checkMethod({ path, method }: Plan, { status, headers }: Answer): string[] {
    const allow = new Set(headers.get('allow')?.split(', '))
    if (method === 'OPTIONS' && status === 204 && path.startsWith('/api/token')) return []
    if (status !== 405) return ['a method that is not documented must get 405']
    const missing = Object.keys(document.paths[path] ?? {}).filter(
      (each) => !allow.has(each.toUpperCase()),
    )
    return missing.map((each) => `Allow does not name ${each}`)
  }

  function checkBody(plan: Plan, answer: Answer, response: ResponseObject): string[] {
    const { content } = response
    const media = answer.headers.get('content-type')?.split(';')[0]
    if (answer.text === '') {
      const mayBeEmpty =
        content === undefined || plan.method === 'HEAD' || response['x-body-optional'] === true
      return mayBeEmpty ? [] : ['the body is missing']
    }
    const found = Object.entries(content ?? {}).find(([each]) => each.split(';')[0] === media)
    if (found === undefined) return [`the media type ${String(media)} is not documented`]
    const { schema } = found[1]
    return schema === undefined ? [] : check(schema, JSON.parse(answer.text))
  }
}

function urlOf(plan: Plan, real: (text: string) => string): string {
  const path = plan.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    real(plan.params[name] ?? ''),
  )
  if (path === '/') return path
  const plain = path.replace(/\/$/, '')
  return plan.slash ? `${plain}/` : plain
}

interface World {
  /** Logs in again from time to time: requests end sessions, and tokens expire. */
  keepLoggedIn(): Promise<void>
  send(plan: Plan): Promise<Response>
  /** Remembers what an answer changed. */
  note(plan: Plan, answer: Answer): void
}

const LOG_IN_EVERY = 20
const TENANT = 'acme'

async function openWorld(it: TestAuthority): Promise<World> {
  await it.authority.tenants.create(TENANT, 'test')
  const client = await newClient(it)
  const bound = await newClient(it, 'reports', { tenant: TENANT })
  const values: Record<string, string> = {
    '@username': USERNAME,
    '@password': PASSWORD,
    '@tenant': TENANT,
    '@client id': client.id,
    '@client secret': client.secret,
  }
  // A generated text may be the name of a member of every object, such as `constructor`.
  const real = (text: string): string =>
    (Object.hasOwn(values, text) ? values[text] : undefined) ?? text
  let browser = new TestBrowser(it)
  let sent = 0
  let isPasswordChanged = false
  let accountId = (await it.authority.accounts.find(USERNAME))?.id ?? ''

  return {
    async keepLoggedIn() {
      it.clock.advanceMs(1_000)
      if (sent++ % LOG_IN_EVERY !== 0) return
      accountId = await keepAccount(it, accountId)
      if (isPasswordChanged) await it.authority.accounts.setPassword(USERNAME, PASSWORD, 'test')
      isPasswordChanged = false
      browser = new TestBrowser(it)
      await browser.login({ username: USERNAME, password: PASSWORD })
      const pair = await readPair(it, '/api/token/', {
        username: USERNAME,
        password: PASSWORD,
      })
      values['@old refresh'] = pair['refresh'] ?? ''
      const next = await readPair(it, '/api/token/refresh/', { refresh: pair['refresh'] })
      values['@access'] = next['access'] ?? ''
      values['@refresh'] = next['refresh'] ?? ''
      values['@session'] = sessionOf(next['access'] ?? '')
      values['@client token'] = tokenOf(await askWithSecret(it, client))
    },

    send(plan) {
      const query = new URLSearchParams(
        plan.query.map(([name, value]): [string, string] => [name, real(value)]),
      )
      const search = plan.query.length === 0 ? '' : `?${query.toString()}`
      const headers = new Headers({
        'user-agent': 'generated',
        ...credentialHeaders(plan, { client, bound, browser, real }),
        ...plan.headers,
      })
      const body = writeBody(plan.body, real)
      if (body.type !== null) headers.set('content-type', body.type)
      const takesBody = plan.method !== 'GET' && plan.method !== 'HEAD'
      const request = new Request(`${ISSUER}${urlOf(plan, real)}${search}`, {
        method: plan.method,
        headers,
        ...(takesBody && body.bytes !== undefined ? { body: body.bytes } : {}),
      })
      return it.authority.fetch(request, { address: '203.0.113.7' })
    },

    note(plan, { status }) {
      if (plan.operationId === 'changePassword' && status < 300) isPasswordChanged = true
    },
  }
}

/** Requests may rename or delete the account. Returns its id. */
async function keepAccount({ authority }: TestAuthority, accountId: string): Promise<string> {
  const { accounts } = authority
  const account = await accounts.get(accountId)
  if (account?.username === USERNAME) return accountId
  // A request may have signed up with the name meanwhile.
  await accounts.delete(USERNAME, 'test')
  if (account !== undefined) {
    await accounts.rename(account.username, USERNAME, 'test')
    return accountId
  }
  const created = await accounts.create({ username: USERNAME, password: PASSWORD }, 'test')
  if (!created.ok) throw new Error(created.text)
  return created.value.id
}

async function readPair(
  it: TestAuthority,
  path: string,
  body: object,
): Promise<Readonly<Record<string, string>>> {
  const response = await it.post(path, body)
  return (await response.json()) as Record<string, string>
}

function sessionOf(access: string): string {
  const [, claims = ''] = access.split('.')
  const { sid } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sid: string }
  return sid
}

interface Holdings {
  readonly client: TestClient
  readonly bound: TestClient
  readonly browser: TestBrowser
  readonly real: (text: string) => string
}

function credentialHeaders(
  { credentials }: Plan,
  { client, bound, browser, real }: Holdings,
): Record<string, string> {
  const cookie = browser.cookieHeader()
  const own = { cookie, 'sec-fetch-site': 'same-origin', origin: ISSUER }
  const csrf = { 'x-csrf-token': browser.csrfToken ?? '' }
  switch (credentials) {
    case 'none':
      return {}
    case 'bearer':
      return { authorization: `Bearer ${real('@access')}` }
    case 'refresh as bearer':
      return { authorization: `Bearer ${real('@refresh')}` }
    case 'broken bearer':
      return { authorization: 'Bearer a b' }
    case 'cookies':
      return { ...own, ...csrf }
    case 'cookies without CSRF token':
      return own
    case 'cookies from another site':
      return { cookie, ...csrf, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    case 'cookies twice':
      return { ...own, ...csrf, cookie: `${cookie}; ${cookie}` }
    case 'service account':
      return basic(client.id, client.secret)
    case 'tenant service account':
      return basic(bound.id, bound.secret)
    case 'wrong secret':
      return basic(client.id, 'wrong')
    case 'broken basic':
      return { authorization: 'Basic !!!' }
  }
}

interface Written {
  readonly type: string | null
  readonly bytes: Uint8Array<ArrayBuffer> | undefined
}

function writeBody(body: PlannedBody, real: (text: string) => string): Written {
  if (body.kind === 'none') return { type: null, bytes: undefined }
  if (body.kind === 'text') return { type: body.media, bytes: new TextEncoder().encode(body.text) }
  const fields = Object.entries(body.fields).map(
    ([name, value]) => [name, typeof value === 'string' ? real(value) : value] as const,
  )
  return { type: body.media, bytes: new TextEncoder().encode(textOf(body.media, fields)) }
}

function textOf(media: string, fields: readonly (readonly [string, unknown])[]): string {
  if (media === 'application/json') return JSON.stringify(Object.fromEntries(fields))
  const texts = fields.map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])
  if (!media.startsWith('multipart')) return new URLSearchParams(texts).toString()
  const parts = texts.map(
    ([name, value]) =>
      `--x\r\nContent-Disposition: form-data; name="${name.replaceAll(/[\r\n"]/g, '_')}"\r\n\r\n${value}\r\n`,
  )
  return `${parts.join('')}--x--\r\n`
}
