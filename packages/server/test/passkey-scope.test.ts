import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SetupError } from '../src/base/faults.ts'
import { openTestAuthority, type TestAuthority } from './support/authority.ts'
import { query } from './support/database.ts'
import { callWith, enrolApp } from './support/factors.ts'
import { addPasskey } from './support/own-passkey.ts'
import { runCommand } from './support/command-line.ts'

const secret = 'a secret of this test alone 0123456789'

/** The stored RP ID of a data directory. */
function storedRpId(dataDir: string): unknown {
  return query(dataDir, 'SELECT rp_id FROM passkey_scope')[0]?.['rp_id']
}

/** Restarts with settings that are refused, and returns the message for the operator. */
async function startError(it: TestAuthority, config: object): Promise<string> {
  const error = await it.restart(config).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(SetupError)
  // Otherwise there is nothing to close at the end of the test.
  await it.restart()
  return (error as SetupError).message
}

describe('the RP ID of an authority', () => {
  test('is chosen at the first start, may change before the first passkey, and not afterwards', async () => {
    await using it = await openTestAuthority({ secret })
    expect(storedRpId(it.dataDir)).toBe('localhost')
    const publicUrl = 'https://login.example.com'
    await it.restart({ publicUrl })
    expect(storedRpId(it.dataDir)).toBe('example.com')
    await it.restart({ publicUrl, passkeyRpId: 'login.example.com' })
    expect(storedRpId(it.dataDir)).toBe('login.example.com')
    await it.restart()
    expect(storedRpId(it.dataDir)).toBe('localhost')

    await addPasskey(it, await it.login())
    const text = await startError(it, { publicUrl })
    expect(text).toContain('Passkeys were registered for localhost')
    expect(text).toContain('but the public URL is https://login.example.com.')
    expect(text).toContain('countersign accounts factors reset')
    expect(storedRpId(it.dataDir)).toBe('localhost')
    expect(await startError(it, { passkeyRpId: 'app.localhost' })).toContain(
      'COUNTERSIGN_PASSKEY_RP_ID is app.localhost. ',
    )

    // The way out that the explanation names.
    await it.authority.factors.reset('alice', { what: 'passkey' }, 'test')
    await it.restart({ publicUrl })
    expect(storedRpId(it.dataDir)).toBe('example.com')
  })

  test('that browsers reject is a setup error that says why', async () => {
    await using it = await openTestAuthority({ secret })
    expect(await startError(it, { passkeyRpId: 'example.com' })).toBe(
      'Browsers reject COUNTERSIGN_PASSKEY_RP_ID. The host of the public URL is not in this domain. It must be localhost, or a domain above it that you own. Remove it to use the default.',
    )
    const publicUrl = 'https://login.example.com'
    expect(await startError(it, { publicUrl, passkeyRpId: 'com' })).toContain(
      'It is a suffix under which anybody can register names.',
    )
  })

  test('does not exist at an IP address: passkeys are off, and everything else works', async () => {
    const publicUrl = 'https://203.0.113.7'
    await using it = await openTestAuthority({ secret, publicUrl })
    expect(storedRpId(it.dataDir)).toBeUndefined()
    const pair = await it.login()
    const code = async (answer: Promise<{ status: number; text: string }>): Promise<unknown> => {
      const { status, text } = await answer
      return [status, (JSON.parse(text) as { code: string }).code]
    }
    const off = [409, 'passkeys_off']
    const own = callWith(it, pair.access, 'POST', '/auth/factors/passkeys/challenge')
    expect(await code(own)).toEqual(off)
    const alone = await it.post('/auth/passkey/challenge', {})
    expect(await code(alone.text().then((text) => ({ status: alone.status, text })))).toEqual(off)
    const app = await enrolApp(it, pair)
    expect(app.recoveryCodes).toHaveLength(10)
  })
})

describe('countersign start', () => {
  let dataDir: string
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'countersign-scope-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  test('prints why it refuses an RP ID, and ends', async () => {
    const env = { COUNTERSIGN_PASSKEY_RP_ID: 'example.com' }
    const { code, stderr } = await runCommand(['start'], { dataDir, env })
    expect(code).toBe(1)
    expect(stderr).toContain('Browsers reject COUNTERSIGN_PASSKEY_RP_ID.')
    expect(stderr).not.toContain('    at ')
  })

  test('prints why it refuses another public URL once somebody has a passkey', async () => {
    await using it = await openTestAuthority({ secret })
    await addPasskey(it, await it.login())
    await it.authority.close()
    const env = {
      COUNTERSIGN_SECRET: secret,
      COUNTERSIGN_PUBLIC_URL: 'https://login.example.com',
    }
    const { code, stderr } = await runCommand(['start'], { dataDir: it.dataDir, env })
    expect(code).toBe(1)
    expect(stderr).toContain(
      'Passkeys were registered for localhost, but the public URL is https://login.example.com.',
    )
    expect(stderr).toContain('countersign accounts factors reset')
  })
})
