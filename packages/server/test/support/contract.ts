import { expect } from 'vitest'

import { ISSUER, type TestAuthority } from './authority.ts'

/** An answer with its whole body. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Question {
  readonly method?: string
  /** The Content-Type. Null sends none. */
  readonly type?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

export const JSON_TYPE = 'application/json'
export const FORM_TYPE = 'application/x-www-form-urlencoded'

/** A request with exactly these parts. By default a POST of JSON text. */
export async function ask(
  it: TestAuthority,
  path: string,
  question: Question = {},
): Promise<Answer> {
  const { method = 'POST', type = JSON_TYPE, headers = {}, body } = question
  const request = new Request(`${ISSUER}${path}`, {
    method,
    headers: {
      'user-agent': 'test-agent',
      ...(type === null ? {} : { 'content-type': type }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
  // A text body sets a Content-Type by itself.
  if (type === null) request.headers.delete('content-type')
  return readAnswer(await it.authority.fetch(request, { address: '203.0.113.7' }))
}

export async function readAnswer(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** A POST of a value as JSON. */
export function askJson(it: TestAuthority, path: string, value: unknown): Promise<Answer> {
  return ask(it, path, { body: JSON.stringify(value) })
}

/** Asserts the status, each byte of the body, and the headers of every answer of the contract. */
export function expectAnswer(answer: Answer, status: number, body: string): void {
  expect({ status: answer.status, body: answer.text }).toEqual({ status, body })
  expectContractHeaders(answer)
}

export function expectContractHeaders({ status, headers }: Answer): void {
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'application/json',
    vary: 'Accept',
    allow: 'POST, OPTIONS',
    'cache-control': 'no-store',
  })
  expect(headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer realm="api"' : null)
}

/** The 401 bodies of the contract. */
export const said = {
  invalid: '{"detail":"Token is invalid","code":"token_not_valid"}',
  expired: '{"detail":"Token is expired","code":"token_not_valid"}',
  wrongType: '{"detail":"Token has wrong type","code":"token_not_valid"}',
  blacklisted: '{"detail":"Token is blacklisted","code":"token_not_valid"}',
  noType: '{"detail":"Token has no type","code":"token_not_valid"}',
  noExp: `{"detail":"Token has no 'exp' claim","code":"token_not_valid"}`,
  noId: '{"detail":"Token has no id","code":"token_not_valid"}',
  wrongCredentials: '{"detail":"No active account found with the given credentials"}',
  noAccount: '{"detail":"No active account found for the given token."}',
  /** At `verify` only, with 400. */
  blacklistedField: '{"non_field_errors":["Token is blacklisted"]}',
} as const

/** The four endpoints and their required fields. */
export const endpoints = [
  { path: '/api/token/', fields: ['username', 'password'] },
  { path: '/api/token/refresh/', fields: ['refresh'] },
  { path: '/api/token/verify/', fields: ['token'] },
  { path: '/api/token/blacklist/', fields: ['refresh'] },
] as const

/** The rows of a table of bodies, each with a name that fits on a line. */
export function named(bodies: readonly string[]): (readonly [name: string, body: string])[] {
  return bodies.map((body) => [JSON.stringify(body).slice(0, 50), body])
}
