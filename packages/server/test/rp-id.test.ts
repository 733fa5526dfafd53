import { describe, expect, test } from 'vitest'

import { checkRpId, decideRpId, defaultRpId } from '../src/factors/passkeys/rp-id.ts'

describe('the default RP ID', () => {
  test.each([
    ['example.com', 'example.com'],
    ['login.example.com', 'example.com'],
    ['a.b.login.example.com', 'example.com'],
    ['login.example.co.uk', 'example.co.uk'],
    ['example.co.uk', 'example.co.uk'],
    // Other customers own the neighbours.
    ['shop.github.io', 'shop.github.io'],
    ['login.shop.github.io', 'shop.github.io'],
    ['github.io', 'github.io'],
    ['login.xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['auth.corp.internal', 'corp.internal'],
    ['intranet', 'intranet'],
    ['localhost', 'localhost'],
    ['app.localhost', 'app.localhost'],
    ['login.example.com.', 'login.example.com.'],
  ])('of %s is %s', async (host, rpId) => {
    expect(await defaultRpId(host)).toBe(rpId)
    if (!host.endsWith('.')) expect(await checkRpId(rpId, host)).toBeUndefined()
  })
})

describe('a configured RP ID', () => {
  test.each([
    ['login.example.com', 'login.example.com', undefined],
    ['example.com', 'login.example.com', undefined],
    ['login.example.com', 'eu.login.example.com', undefined],
    ['com', 'login.example.com', 'public_suffix'],
    ['co.uk', 'login.example.co.uk', 'public_suffix'],
    ['uk', 'login.example.co.uk', 'public_suffix'],
    ['github.io', 'shop.github.io', 'public_suffix'],
    ['io', 'shop.github.io', 'public_suffix'],
    ['amazonaws.com', 'a.b.compute.amazonaws.com', 'public_suffix'],
    ['localhost', 'app.localhost', 'public_suffix'],
    ['ample.com', 'login.example.com', 'other_domain'],
    ['example.org', 'login.example.com', 'other_domain'],
    ['www.example.com', 'example.com', 'other_domain'],
    ['login.example.com.evil.test', 'login.example.com', 'other_domain'],
    ['Example.com', 'login.example.com', 'not_a_domain'],
    ['https://example.com', 'login.example.com', 'not_a_domain'],
    ['example.com:443', 'login.example.com', 'not_a_domain'],
    ['example.com/', 'login.example.com', 'not_a_domain'],
    ['.example.com', 'login.example.com', 'other_domain'],
    ['*.example.com', 'login.example.com', 'not_a_domain'],
    ['bücher.example', 'xn--bcher-kva.example', 'not_a_domain'],
    ['', 'login.example.com', 'not_a_domain'],
    ['203.0.113.7', '203.0.113.7', 'ip_address'],
    ['example.com', '[2001:db8::1]', 'ip_address'],
  ])('%s for the host %s: %s', async (rpId, host, reason) => {
    expect(await checkRpId(rpId, host)).toBe(reason)
  })
})

const first = { stored: undefined, configured: undefined, hasPasskeys: false }

describe('at the first start', () => {
  test.each([
    ['https://login.example.com', 'example.com'],
    ['https://login.example.com:8443', 'example.com'],
    ['http://localhost:3000', 'localhost'],
    ['http://app.localhost', 'app.localhost'],
  ])('%s gets %s', async (publicUrl, rpId) => {
    expect(await decideRpId({ ...first, publicUrl })).toEqual({ kind: 'store', rpId })
  })

  test('a configured one wins', async () => {
    const publicUrl = 'https://login.example.com'
    const configured = 'login.example.com'
    expect(await decideRpId({ ...first, configured, publicUrl })).toEqual({
      kind: 'store',
      rpId: configured,
    })
  })

  test('a configured one that browsers reject is refused', async () => {
    const publicUrl = 'https://login.example.com'
    for (const [configured, why] of [
      ['com', 'under which anybody can register'],
      ['example.org', 'is not in this domain'],
      ['https://login.example.com', 'without scheme'],
      ['127.0.0.1', 'is an IP address'],
    ] as const) {
      const decision = await decideRpId({ ...first, configured, publicUrl })
      expect(decision).toEqual({ kind: 'refuse', explanation: expect.stringContaining(why) })
      expect(decision).toMatchObject({
        explanation: expect.stringContaining('must be login.example.com, or a domain above it'),
      })
    }
  })

  test.each([
    ['http://127.0.0.1:3000', 'ip_address'],
    ['https://203.0.113.7', 'ip_address'],
    ['https://[2001:db8::1]', 'ip_address'],
    ['http://login.example.com', 'insecure_url'],
    ['http://intranet', 'insecure_url'],
  ])('%s has no passkeys: %s', async (publicUrl, reason) => {
    expect(await decideRpId({ ...first, publicUrl })).toEqual({
      kind: 'unavailable',
      reason,
      explanation: expect.stringContaining('Passkeys are off'),
    })
  })
})

describe('at a later start', () => {
  const stored = 'example.com'
  const publicUrl = 'https://login.example.com'

  test.each([true, false])('nothing changed (with passkeys: %s)', async (hasPasskeys) => {
    const use = { kind: 'use', rpId: stored }
    for (const configured of [undefined, stored]) {
      expect(await decideRpId({ stored, configured, publicUrl, hasPasskeys })).toEqual(use)
    }
    const moved = { stored, configured: undefined, publicUrl: 'https://auth.eu.example.com' }
    expect(await decideRpId({ ...moved, hasPasskeys })).toEqual(use)
  })

  test('another one is refused while passkeys exist', async () => {
    const configured = 'login.example.com'
    const decision = await decideRpId({ stored, configured, publicUrl, hasPasskeys: true })
    expect(decision.kind).toBe('refuse')
    for (const text of [
      'Passkeys were registered for example.com, but COUNTERSIGN_PASSKEY_RP_ID is login.example.com.',
      'could not log in',
      'Set COUNTERSIGN_PASSKEY_RP_ID=example.com or remove it.',
      'countersign accounts factors reset',
    ]) {
      expect(decision).toMatchObject({ explanation: expect.stringContaining(text) })
    }
  })

  test.each([
    'https://login.example.org',
    'https://notexample.com',
    'http://login.example.com',
    'http://localhost:3000',
    'https://203.0.113.7',
  ])('the public URL %s is refused while passkeys exist', async (moved) => {
    const given = { stored, configured: undefined, publicUrl: moved, hasPasskeys: true }
    const decision = await decideRpId(given)
    expect(decision).toEqual({
      kind: 'refuse',
      explanation: expect.stringContaining(`but the public URL is ${moved}.`),
    })
  })

  test('another one replaces it before the first passkey', async () => {
    const given = { stored: 'localhost', configured: undefined, publicUrl, hasPasskeys: false }
    expect(await decideRpId(given)).toEqual({ kind: 'store', rpId: 'example.com' })
    expect(await decideRpId({ ...given, configured: 'login.example.com' })).toEqual({
      kind: 'store',
      rpId: 'login.example.com',
    })
  })
})
