import { expect, test } from 'vitest'

import { runGeneratedClient } from './support/openapi-client.ts'

const REQUESTS = 20_000

test(`${REQUESTS} requests made from the OpenAPI document get answers that it describes, and no 5xx`, async () => {
  const { seen, document } = await runGeneratedClient(REQUESTS)
  const succeeded = new Set(
    [...seen.keys()].filter((key) => / 2\d\d$/.test(key)).map((key) => key.split(' ')[0]),
  )
  // Every operation must have succeeded, otherwise the requests prove nothing. A WebSocket upgrade has no
  // such answer.
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const never = operations.filter(({ operationId }) => !succeeded.has(operationId))
  expect(never.map(({ operationId }) => operationId)).toEqual(['connectFeed'])
}, 900_000)
