import { expect, test } from 'vitest'

import { runGeneratedClient } from './support/openapi-client.ts'

const REQUESTS = 20_000

test(`${REQUESTS} requests made from the OpenAPI document get answers that it describes, and no 5xx`, async () => {
  const { seen, document } = await runGeneratedClient(REQUESTS)
  // Otherwise the requests would have been refused too early to prove anything.
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const succeeded = operations.filter(({ operationId }) =>
    [...seen.keys()].some((key) => key.startsWith(`${operationId} 2`)),
  )
  const neverSucceeds = ['connectFeed']
  expect(
    operations
      .filter((each) => !succeeded.includes(each))
      .map(({ operationId }) => operationId)
      .filter((each) => !neverSucceeds.includes(each)),
  ).toEqual([])
}, 900_000)
