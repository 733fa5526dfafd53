import { expect, test } from 'vitest'

import { openTestAuthority } from './support/authority.ts'
import { logTo } from './support/log-lines.ts'

test.each([
  [
    'Ed25519',
    [
      {
        event: 'algorithm_not_widely_known',
        alg: 'Ed25519',
        kids: [expect.any(String), expect.any(String)],
      },
    ],
  ],
  ['ES256', []],
  ['RS256', []],
] as const)('keys of the algorithm %s: the log at start', async (signingAlg, expected) => {
  const logged: Record<string, unknown>[] = []
  await using it = await openTestAuthority({ signingAlg, logger: logTo(logged) })
  expect(it.authority.settings.keys.alg).toBe(signingAlg)
  expect(logged.filter(({ event }) => event !== 'files_exposed')).toMatchObject(expected)
})
