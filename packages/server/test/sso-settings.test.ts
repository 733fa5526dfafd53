import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createAuthority } from 'countersign'
import { afterEach, beforeEach, expect, test } from 'vitest'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

test.each([
  [
    'a shared secret',
    { sharedSecret: 'a shared secret of at least thirty-two bytes' },
    'COUNTERSIGN_SSO needs published keys',
  ],
  ['no pages', { pages: false }, 'COUNTERSIGN_SSO needs the pages on which people log in'],
])('single sign-on does not start with %s', async (_what, settings, message) => {
  const input = { dataDir, logLevel: 'silent', sso: true, ...settings } as const
  await expect(createAuthority(input)).rejects.toThrow(message)
})
