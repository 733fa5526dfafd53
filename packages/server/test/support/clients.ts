import { expect } from 'vitest'

import type { TestAuthority } from './authority.ts'
import { ask, FORM_TYPE, type Answer, type Question } from './contract.ts'

/** A service account with its secret, as its machine holds it. */
export interface TestClient {
  readonly id: string
  readonly secret: string
  readonly secretId: string
}

export async function newClient(
  it: TestAuthority,
  name = 'billing',
  more: { readonly roles?: readonly string[]; readonly tenant?: string } = {},
): Promise<TestClient> {
  const created = await it.authority.clients.create({ name, ...more }, 'test')
  if (!created.ok) throw new Error(created.text)
  const { client, secret } = created.value
  return { id: client.id, secret: secret.secret, secretId: secret.id }
}

/** Posts a form to the token endpoint. By default it has the headers of the example in the RFC. */
export function askToken(
  it: TestAuthority,
  form: Readonly<Record<string, string>> | string,
  question: Question = {},
): Promise<Answer> {
  const body =
    typeof form === 'string'
      ? form
      : new URLSearchParams({ grant_type: 'client_credentials', ...form }).toString()
  return ask(it, '/oauth2/token', { type: FORM_TYPE, body, ...question })
}

export function askWithSecret(it: TestAuthority, { id, secret }: TestClient): Promise<Answer> {
  return askToken(it, { client_id: id, client_secret: secret })
}

export function basic(id: string, secret: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
}

/** The access token of an answer. Fails when the answer has none. */
export function tokenOf({ status, text }: Answer): string {
  expect({ status, text }).toMatchObject({ status: 200 })
  return String((JSON.parse(text) as Record<string, unknown>)['access_token'])
}

/** Asserts an error in the form of RFC 6749 §5.2, with `Cache-Control: no-store`. */
export function expectError(answer: Answer, status: number, error: string): void {
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status })
  const body = JSON.parse(answer.text) as Record<string, unknown>
  // Only these two members, with only the characters that §5.2 allows.
  expect(body).toEqual({
    error,
    error_description: expect.stringMatching(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/),
  })
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    pragma: 'no-cache',
  })
  expect(answer.headers.get('www-authenticate')).toBe(
    status === 401 ? 'Basic realm="http://localhost:8000", charset="UTF-8"' : null,
  )
}
