import { expect, test } from 'vitest'

import type { OpenApi } from './support/openapi.ts'
import { runGeneratedClient } from './support/openapi-client.ts'

test('500 requests made from the OpenAPI document get answers that it describes, and no 5xx', async () => {
  const { seen } = await runGeneratedClient(500)
  expect(seen.size).toBeGreaterThan(60)
})

test('a document with a wrong answer is detected', async () => {
  const wrong = (document: OpenApi): OpenApi =>
    JSON.parse(JSON.stringify(document).replaceAll('"auth_time"', '"authenticated"')) as OpenApi
  await expect(runGeneratedClient(2_000, wrong)).rejects.toThrow(/auth_time/)
})
