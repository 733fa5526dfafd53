import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

import { importVerifyingKey, verifyJws } from '@countersign/jwt'
import { expect, test } from 'vitest'

import { openTestAuthority, PASSWORD, USERNAME } from './support/authority.ts'
import { askWithSecret, newClient, tokenOf } from './support/clients.ts'
import { headerOf } from './support/forge.ts'

/** A module that keeps its key like an HSM and signs slowly. */
function createModule(): {
  readonly publicKey: KeyObject
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>
  isDown: boolean
} {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const module = {
    publicKey,
    isDown: false,
    sign: async (bytes: Uint8Array) => {
      await setImmediate()
      if (module.isDown) throw new Error('no session with the token')
      return sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
    },
  }
  return module
}

test('an external key signs every access token, and its public half is published', async () => {
  const hsm = createModule()
  await using it = await openTestAuthority({
    signer: { alg: 'ES256', publicKey: hsm.publicKey, kid: 'hsm-1', sign: hsm.sign },
  })
  const pair = await it.login()
  const refreshed = await it.post('/api/token/refresh/', { refresh: pair.refresh })
  const next = (await refreshed.json()) as { access: string }
  const machine = tokenOf(await askWithSecret(it, await newClient(it)))
  const key = importVerifyingKey({ keyObject: hsm.publicKey }, { alg: 'ES256', kid: 'hsm-1' })
  for (const token of [pair.access, next.access, machine]) {
    expect(headerOf(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: 'hsm-1' })
    expect(verifyJws(token, key).ok).toBe(true)
    expect(it.authority.verify(token).ok).toBe(true)
    expect((await it.post('/api/token/verify/', { token })).status).toBe(200)
  }
  const jwks = await it.authority.fetch(new Request('http://localhost:8000/.well-known/jwks.json'))
  const { keys } = (await jwks.json()) as { keys: { kid: string }[] }
  expect(keys.map(({ kid }) => kid)).toContain('hsm-1')
})

test('while the signer is unreachable, logins fail and write nothing; afterwards they work again', async () => {
  const hsm = createModule()
  await using it = await openTestAuthority({
    signer: { alg: 'ES256', publicKey: hsm.publicKey.export({ format: 'jwk' }), sign: hsm.sign },
  })
  const pair = await it.login()
  hsm.isDown = true
  const answer = await it.post('/api/token/', { username: USERNAME, password: PASSWORD })
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(await answer.text()).not.toContain('no session')
  expect((await it.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(503)
  hsm.isDown = false
  // The failed request had rotated the token, so this is a repeat of that refresh.
  expect((await it.post('/api/token/refresh/', { refresh: pair.refresh })).status).toBe(200)
})

test('a signer with a wrong public key fails at start', async () => {
  const hsm = createModule()
  const { publicKey } = createModule()
  const other = openTestAuthority({ signer: { alg: 'ES256', publicKey, sign: hsm.sign } })
  await expect(other).rejects.toThrow('another key')
  const wrong = openTestAuthority({
    signer: { alg: 'RS256', publicKey: hsm.publicKey, sign: hsm.sign },
  })
  await expect(wrong).rejects.toThrow('publicKey')
})
