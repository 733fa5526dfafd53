import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openTestAuthority, type TestAuthority } from './support/authority.ts'
import { ask, type Answer } from './support/contract.ts'
import { readDocument, schemaChecker, type OpenApi } from './support/openapi.ts'

let it: TestAuthority
let document: OpenApi
beforeAll(async () => {
  it = await openTestAuthority({ signUp: true })
  document = await readDocument(it)
})
afterAll(() => it[Symbol.asyncDispose]())

const get = (path: string, of = it): Promise<Answer> => ask(of, path, { method: 'GET', type: null })

test('the document is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate({ ...document })
  expect(errors).toBeUndefined()
  expect(valid).toBe(true)
  expect(document.openapi).toMatch(/^3\.1\./)
})

test('every operation has a summary, a description and a unique identifier', () => {
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  expect(operations.length).toBeGreaterThan(25)
  for (const { operationId, summary, description } of operations) {
    expect(operationId).toMatch(/^[a-z][A-Za-z]+$/)
    expect(summary).not.toMatch(/\.$/)
    expect(description).toMatch(/\.$/)
  }
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
})

test('every example fits its schema', () => {
  const check = schemaChecker()
  let seen = 0
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      for (const { content } of [...Object.values(responses), requestBody ?? {}]) {
        for (const { schema, example } of Object.values(content ?? {})) {
          if (schema === undefined) continue
          seen += 1
          expect(example, `${method} ${path} has no example`).toBeDefined()
          expect(check(schema, example), `${method} ${path}`).toEqual([])
        }
      }
    }
  }
  expect(seen).toBeGreaterThan(100)
})

describe('the routes of features that are off', () => {
  test('are not in the document, and are not answered', async () => {
    await using closed = await openTestAuthority()
    const { paths } = await readDocument(closed)
    expect(document.paths['/auth/signup']).toBeDefined()
    expect(paths['/auth/signup']).toBeUndefined()
    // The route, and its page.
    expect(Object.keys(document.paths).length).toBe(Object.keys(paths).length + 2)
  })
})

test('the document names no version, path or user of this server', async () => {
  const { text } = await get('/openapi.json')
  expect(text).not.toContain(it.dataDir)
  expect(text).not.toContain('0.1.0')
})

describe('GET /docs', () => {
  test('is a page whose policy allows only scripts and styles of this server', async () => {
    const { status, headers, text } = await get('/docs')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';")
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(text).not.toMatch(/<script>|<style|style="|\son\w+=|https?:\/\//i)
  })

  test('finds each of its files on this server', async () => {
    const { text } = await get('/docs')
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => String(file))
    expect(files).toHaveLength(4)
    for (const file of files) {
      const answer = await get(file)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      const etag = String(answer.headers.get('etag'))
      const again = await ask(it, file, {
        method: 'GET',
        type: null,
        headers: { 'if-none-match': etag },
      })
      expect(again).toMatchObject({ status: 304, text: '' })
    }
  })
})
