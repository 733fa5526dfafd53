import type { RawRequest } from '../../packages/server/test/support/raw.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'

export const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** The tokens that one side returns. */
export interface Pair {
  readonly access: string
  readonly refresh: string
}

/** A request to both sides. Tokens in it are replaced by the tokens of each side. */
export type Question = RawRequest | ((pair: Pair, spent: Pair) => RawRequest)

export const token = '/api/token/'
const refresh = '/api/token/refresh/'
const verify = '/api/token/verify/'
export const blacklist = '/api/token/blacklist/'

/** The endpoints with their required fields. */
export const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  [token]: ['username', 'password'],
  [refresh]: ['refresh'],
  [verify]: ['token'],
  [blacklist]: ['refresh'],
}

/** Makes a POST of JSON text. */
export function json(path: string, body: string): RawRequest {
  return { path, body, headers: { 'content-type': JSON_TYPE } }
}

function form(path: string, fields: Readonly<Record<string, string>>): RawRequest {
  const body = new URLSearchParams(fields).toString()
  return { path, body, headers: { 'content-type': FORM_TYPE } }
}

function multipart(path: string, parts: readonly string[]): RawRequest {
  const lines = parts.flatMap((part) => ['--edge', `Content-Disposition: form-data; ${part}`])
  return {
    path,
    body: [...lines, '--edge--', ''].join('\r\n'),
    headers: { 'content-type': 'multipart/form-data; boundary=edge' },
  }
}

/** Makes the requests for every endpoint, with the fields of the endpoint. */
export function commonQuestions(path: string): Record<string, Question> {
  const names = fieldsOf[path] ?? []
  const all = (value: string): RawRequest =>
    json(path, `{${names.map((name) => `"${name}":${value}`).join(',')}}`)
  // oxfmt-ignore
  const bodies = [
    '{}', '[]', '[{}]', '"text"', '""', '1', '-0', '1.0', '1e5', 'true', 'false', 'null',
    '{', '{"a":1,}', "{'a':1}", 'NaN', '{"a":NaN}', '{}{}', ' ', 'nul', '{"a":"\t"}', '{"a":01}',
    '{"x":1}', '123456789012345678901234567890', '{"a":"\\ud800"}',
  ]
  // oxfmt-ignore
  const values = [
    'null', '""', '" "', '"\\t\\u00a0\\u2003\\u0085\\u001f"', '"\\ufeff"', '"\\u200b"',
    'true', 'false', '[]', '["a"]', '{}', '{"a":1}', '0', '-0', '12', '1.0', '1e22', '0.00001',
    '"a\\u0000b"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"',
    '"\\u0000\\udfff"', '"a"', '" a "', '"é"',
  ]
  const types = ['text/plain', 'text/plain; charset=utf-8', 'application/xml', 'text/json', 'x', '']
  const post = (headers: Record<string, string>, body?: string): RawRequest =>
    body === undefined ? { path, headers } : { path, headers, body }
  return {
    ...Object.fromEntries(bodies.map((body) => [`the body ${body}`, json(path, body)])),
    ...Object.fromEntries(values.map((value) => [`every field ${value}`, all(value)])),
    ...Object.fromEntries(
      types.map((type) => [`the media type "${type}"`, post({ 'content-type': type }, '{}')]),
    ),
    ...Object.fromEntries(
      [...types, JSON_TYPE, FORM_TYPE].map((type) => [
        `an empty body of type "${type}"`,
        post({ 'content-type': type }),
      ]),
    ),
    ...Object.fromEntries(
      ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'].map((method) => [
        `the method ${method}`,
        { path, method },
      ]),
    ),
    'no content type': { path, body: '{}' },
    'JSON with parameters': post({ 'content-type': 'application/json; charset=UTF-8; a=b' }, '{}'),
    'the media type in another case': post({ 'content-type': 'Application/JSON' }, '{}'),
    'invalid UTF-8': {
      ...post({ 'content-type': JSON_TYPE }),
      body: Buffer.from('{"a":"\xff"}', 'latin1'),
    },
    'a garbage Authorization': post({ 'content-type': JSON_TYPE, authorization: 'Bearer x' }, '{}'),
    'a Basic Authorization': post({ 'content-type': JSON_TYPE, authorization: 'Basic eDp5' }, '{}'),
    'a form with blank fields': form(path, Object.fromEntries(names.map((name) => [name, ' ']))),
    'a form with other fields': form(path, { x: '1' }),
    'a multipart form with other fields': multipart(path, ['name="x"\r\n\r\n1']),
    'a multipart form with files': multipart(
      path,
      names.map((name) => `name="${name}"; filename="f"\r\nContent-Type: text/plain\r\n\r\nx`),
    ),
    'a multipart form without a boundary': post({ 'content-type': 'multipart/form-data' }, 'x'),
  }
}

/** A JSON body with a username and password that are correct on both sides. */
export const credentials = JSON.stringify(ADMIN)
const { username, password } = ADMIN

/** Requests for one endpoint only. */
export const questions: Record<string, Question> = {
  'obtain: right credentials': json(token, credentials),
  'obtain: white space around username and password': json(
    token,
    JSON.stringify({ username: `\u2003${username}\u0085 `, password: `\t${password}\u001c` }),
  ),
  'obtain: as a form': form(token, ADMIN),
  'obtain: as a multipart form': multipart(token, [
    `name="username"\r\n\r\n${username}`,
    `name="password"\r\n\r\n${password}`,
  ]),
  'obtain: a wrong password': json(token, JSON.stringify({ username, password: 'x' })),
  'obtain: a password with other capitals': json(
    token,
    JSON.stringify({ username, password: password.toUpperCase() }),
  ),
  'obtain: U+FEFF after the password': json(
    token,
    JSON.stringify({ username, password: `${password}\ufeff` }),
  ),
  'obtain: an unknown user': json(token, JSON.stringify({ username: 'nobody', password })),
  'obtain: a password missing': json(token, JSON.stringify({ username })),
  'obtain: a username missing': json(token, JSON.stringify({ password })),
  'obtain: both fields wrong, in two ways': json(token, '{"password":null,"username":[]}'),
  'refresh: a valid token': (pair) => json(refresh, JSON.stringify({ refresh: pair.refresh })),
  'refresh: a valid token as a form': (pair) => form(refresh, { refresh: ` ${pair.refresh}\n` }),
  'refresh: an access token': (pair) => json(refresh, JSON.stringify({ refresh: pair.access })),
  'refresh: a token that was blacklisted': (_, spent) =>
    json(refresh, JSON.stringify({ refresh: spent.refresh })),
  'verify: an access token': (pair) => json(verify, JSON.stringify({ token: pair.access })),
  'verify: a refresh token': (pair) => form(verify, { token: pair.refresh }),
  'verify: a token that was blacklisted': (_, spent) =>
    json(verify, JSON.stringify({ token: spent.refresh })),
  'blacklist: a valid token': (pair) => json(blacklist, JSON.stringify({ refresh: pair.refresh })),
  'blacklist: an access token': (pair) => json(blacklist, JSON.stringify({ refresh: pair.access })),
  'blacklist: a token that was blacklisted': (_, spent) =>
    json(blacklist, JSON.stringify({ refresh: spent.refresh })),
}

for (const path of [refresh, verify, blacklist]) {
  const name = fieldsOf[path]![0]!
  const give = (value: string): RawRequest => json(path, JSON.stringify({ [name]: value }))
  for (const garbage of [
    'x',
    '.',
    'a.b.c',
    'a.b.c.d',
    'eyJhbGciOiJub25lIn0.e30.',
    '{}',
    'a'.repeat(9_000),
  ]) {
    questions[`${path}: garbage ${garbage.slice(0, 30)}`] = give(garbage)
  }
  questions[`${path}: a changed signature`] = (pair) => give(`${pair.refresh.slice(0, -6)}AAAAAA`)
  questions[`${path}: a changed payload`] = (pair) =>
    give(pair.refresh.replace(/\.(.)/, (_, first: string) => `.${first === 'e' ? 'f' : 'e'}`))
  questions[`${path}: without its signature`] = (pair) =>
    give(`${pair.refresh.split('.').slice(0, 2).join('.')}.`)
}

/**
 * Requests that we answer differently on purpose. The tests check each of them, so that the list stays
 * correct.
 */
export const differences: readonly {
  what: string
  question: RawRequest
  ours: number
  django: number
}[] = [
  {
    what: 'a repeated name is refused; SimpleJWT uses the last one',
    question: json(token, '{"username":"a","username":"b","password":"c"}'),
    ours: 400,
    django: 401,
  },
  {
    what: 'a repeated form field is refused',
    question: { ...form(token, {}), body: 'username=a&username=b&password=c' },
    ours: 400,
    django: 401,
  },
  {
    what: 'a member __proto__ is refused; SimpleJWT ignores it',
    question: json(token, '{"username":"a","password":"b","__proto__":1}'),
    ours: 400,
    django: 401,
  },
  {
    what: 'nesting beyond 10 is refused, even in ignored members',
    question: json(token, `{"username":"a","password":"b","x":${'['.repeat(10)}${']'.repeat(10)}}`),
    ours: 400,
    django: 401,
  },
  {
    what: 'a number larger than every double is refused; SimpleJWT reads it as inf',
    question: json(token, '{"username":1e400,"password":"b"}'),
    ours: 400,
    django: 401,
  },
  {
    what: 'bodies over 16 KiB are refused',
    question: json(token, JSON.stringify({ username: 'a'.repeat(17_000), password: 'b' })),
    ours: 413,
    django: 401,
  },
  {
    what: 'only UTF-8 is read',
    question: {
      path: token,
      headers: { 'content-type': 'application/json; charset=latin1' },
      body: '{"username":"a","password":"b"}',
    },
    ours: 415,
    django: 401,
  },
  {
    what: 'compressed bodies are refused; SimpleJWT reads them as text',
    question: {
      path: token,
      headers: { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' },
      body: '{"username":"a","password":"b"}',
    },
    ours: 415,
    django: 401,
  },
  {
    what: 'invalid percent-encoding is refused; SimpleJWT keeps it as text',
    question: { ...form(token, {}), body: 'username=%zz&password=b' },
    ours: 400,
    django: 401,
  },
  {
    what: 'the path works without its trailing slash',
    question: json('/api/token', '{"username":"a","password":"b"}'),
    ours: 401,
    django: 404,
  },
  {
    what: 'usernames ignore case',
    question: json(token, JSON.stringify({ username: username.toUpperCase(), password })),
    ours: 200,
    django: 401,
  },
  {
    what: 'OPTIONS has no metadata',
    question: { path: token, method: 'OPTIONS' },
    ours: 204,
    django: 200,
  },
]
