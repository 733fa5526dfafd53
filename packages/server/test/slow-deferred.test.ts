import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { runCommand } from './support/command-line.ts'
import { execute } from './support/database.ts'
import { ADMIN, startServerProcess } from './support/server-process.ts'

const hook = pathToFileURL(join(import.meta.dirname, 'support/loaded-modules.ts')).href

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-deferred-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const env = (): Record<string, string> => ({
  LOADED_MODULES: join(folder, 'modules'),
  NODE_OPTIONS: `--import=${hook}`,
})

/** The modules that were loaded, without those of Node. */
function loaded(): readonly string[] {
  return readFileSync(join(folder, 'modules'), 'utf8')
    .split('\n')
    .filter((url) => url.startsWith('file:'))
}

const DEFERRED = /node_modules\/(?:@node-rs\/argon2|ws|bowser)|http\/openapi\/document\.ts/

test('the server loads the parts that the first answer does not need after all others', async () => {
  await using server = await startServerProcess({
    env: { ...env(), COUNTERSIGN_ADMIN_PASSWORD: '', NODE_ENV: 'production', ...PRODUCTION },
  })
  expect(server.output()).toContain('is running')
  for (const part of ['@node-rs/argon2', '/ws/', '/bowser/', 'openapi/document.ts']) {
    await expect.poll(() => loaded().some((url) => url.includes(part)), WAIT).toBe(true)
  }
  const urls = loaded()
  const first = urls.findIndex((url) => DEFERRED.test(url))
  const start = urls.findIndex((url) => url.endsWith('/http/serve.ts'))
  expect(start).toBeGreaterThan(0)
  expect(first).toBeGreaterThan(start)
  // The file of the last deferred part imports others of its folder.
  const after = urls.slice(first).filter((url) => !DEFERRED.test(url))
  expect(after.filter((url) => !url.includes('/http/openapi/'))).toEqual([])
  expect(urls.filter((url) => /\/zod\/v4\/locales\/\w+\.c?js$/.test(url))).toEqual([
    expect.stringMatching(/\/en\.js$/),
  ])
  expect(urls.filter((url) => UNUSED.test(url))).toEqual([])
  // Nobody has a second factor.
  expect(urls.filter((url) => FACTORS.test(url))).toEqual([])
})

/** Parts that nobody has used or configured. */
const UNUSED =
  /swagger|cli\/accounts\.ts|node_modules\/(?:ioredis|oidc-provider|openid-client|koa|pg)\//

const FACTORS = /node_modules\/(?:otplib|qrcode|@simplewebauthn)/

test('the server loads the libraries of factors after the start if somebody has such factors', async () => {
  await using first = await startServerProcess()
  const { dataDir } = first
  await first.stop()
  execute(
    dataDir,
    `INSERT INTO factors (id, account_id, kind, name, created_at, secret, last_step)
     SELECT 'fac_1', id, 'totp', 'App', 0, x'00', 0 FROM accounts`,
  )
  execute(
    dataDir,
    `INSERT INTO factors (id, account_id, kind, name, created_at, credential_id)
     SELECT 'fac_2', id, 'passkey', 'Key', 0, 'credential' FROM accounts`,
  )
  await using server = await startServerProcess({ dataDir, env: env() })
  expect(server.output()).toContain('is running')
  for (const part of ['node_modules/otplib', 'node_modules/@simplewebauthn/server']) {
    await expect.poll(() => loaded().some((url) => url.includes(part)), WAIT).toBe(true)
  }
  const urls = loaded()
  const last = urls.findLastIndex((url) => url.includes('openapi/document.ts'))
  expect(urls.findIndex((url) => FACTORS.test(url))).toBeGreaterThan(last)
  expect(urls.filter((url) => url.includes('node_modules/qrcode'))).toEqual([])
})

test('the options of the first registration begin to load the library of passkeys', async () => {
  await using server = await startServerProcess({ env: env() })
  const post = async (path: string, body: unknown, access = ''): Promise<unknown> => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${access}` },
      body: JSON.stringify(body),
    })
    expect(response.status).toBe(200)
    return response.json()
  }
  const { access } = (await post('/api/token/', ADMIN)) as { access: string }
  expect(loaded().filter((url) => FACTORS.test(url))).toEqual([])
  await post('/auth/factors/passkeys/challenge', {}, access)
  await expect
    .poll(() => loaded().some((url) => url.includes('@simplewebauthn/server')), WAIT)
    .toBe(true)
})

test('the library of single sign-on is loaded with the first login of an application', async () => {
  await using server = await startServerProcess({ env: { ...env(), COUNTERSIGN_SSO: 'true' } })
  expect(server.output()).toContain('is running')
  await fetch(`${server.url}/.well-known/openid-configuration`)
  const LIBRARY = /node_modules\/(?:oidc-provider|koa)\//
  expect(loaded().filter((url) => LIBRARY.test(url))).toEqual([])
  await fetch(`${server.url}/oauth2/authorize`)
  expect(loaded().filter((url) => LIBRARY.test(url)).length).toBeGreaterThan(50)
})

test('only the thread of the database loads the store, and it loads no JWT core', async () => {
  await using server = await startServerProcess({ env: env() })
  expect(server.output()).toContain('is running')
  // The hook writes down the modules of both threads.
  const times = (part: string): number => loaded().filter((url) => url.endsWith(part)).length
  expect(times('/store/thread/host.ts')).toBe(1)
  expect(times('/store/sqlite/store.ts')).toBe(1)
  expect(times('/jwt/src/index.ts')).toBe(1)
  expect(times('/guard/src/revocations/entry.ts')).toBe(2)
})

// With a production server and no password, the first start hashes no password.
const PRODUCTION = {
  COUNTERSIGN_SECRET: 'a secret of this test alone 0123456789',
  COUNTERSIGN_PUBLIC_URL: 'https://auth.example',
}

const WAIT = { timeout: 30_000 }

test('a command loads neither the server nor the native library for passwords', async () => {
  await using server = await startServerProcess()
  const listed = await runCommand(['accounts', 'list'], { dataDir: server.dataDir, env: env() })
  expect(listed).toMatchObject({ code: 0, stderr: '' })
  expect(
    loaded().filter((url) => /\/http\/|hono|argon2|\/ws\/|locales\/\w+\.c?js/.test(url)),
  ).toEqual([expect.stringMatching(/\/zod\/v4\/locales\/en\.js$/)])
})

test('the version and the help of a command load no settings', async () => {
  for (const words of [['--version'], ['accounts', 'create', '--help']]) {
    expect(await runCommand(words, { dataDir: folder, env: env() })).toMatchObject({ code: 0 })
    expect(loaded().filter((url) => /zod|settings|\/store\//.test(url))).toEqual([])
  }
})

test('a translation of zod is loaded at its first call, for a configuration file that uses it', async () => {
  await using server = await startServerProcess()
  const zod = import.meta.resolve('zod')
  writeFileSync(
    join(folder, 'countersign.config.mjs'),
    `import { z } from '${zod}'
     z.config(z.locales.de())
     console.log(z.string().safeParse(3).error.issues[0].message)
     export default {}`,
  )
  const listed = await runCommand(['accounts', 'list'], {
    dataDir: server.dataDir,
    cwd: folder,
    env: env(),
  })
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('Ungültige Eingabe') })
  expect(
    loaded()
      .filter((url) => /locales\/\w+\.c?js/.test(url))
      .map((url) => url.slice(-8)),
  ).toEqual(['es/en.js', 's/de.cjs'])
})
