import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { type GuardOptions, refusals } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the README lists each refusal with its status and its error, and no other', () => {
  const rows = [...readme.matchAll(/^\| `(\w+)` \| (\d{3}) \| (?:`(\w+)`)? ?\|/gm)]
  const listed = Object.fromEntries(
    rows.map(([, code, status, error]) => [code, { status: Number(status), error }]),
  )
  const real = Object.entries(refusals).map(([code, { status, error }]) => [
    code,
    { status, error },
  ])
  expect(listed).toEqual(Object.fromEntries(real))
})

test('the README lists each option, and no other', () => {
  const every: Record<keyof GuardOptions, true> = {
    issuer: true,
    audience: true,
    jwksUrl: true,
    cookies: true,
    feed: true,
    policy: true,
    readyTimeoutMs: true,
    keys: true,
    sharedSecret: true,
    resourceMetadata: true,
    toleranceSec: true,
    refreshIntervalMs: true,
    fetchTimeoutMs: true,
    keysMaxAgeMs: true,
    cacheEntriesMax: true,
    onRefused: true,
    onKeysError: true,
    onFeedError: true,
    onNotice: true,
    fetch: true,
    clock: true,
    elapsed: true,
    random: true,
  }
  const start = readme.indexOf('\n## Options')
  const section = readme.slice(start, readme.indexOf('\n## ', start + 1))
  const firstColumns = [...section.matchAll(/^\| (`.+?`) \|/gm)].map(([, column]) => column ?? '')
  const listed = firstColumns.flatMap((column) => column.match(/\w+/g) ?? [])
  expect(listed).toEqual(Object.keys(every))
})

// The examples read it.
process.env['GUARD_SECRET'] = 'a secret'

// Node 20 cannot strip types.
const strip = 'stripTypeScriptTypes' in nodeModule ? nodeModule.stripTypeScriptTypes : undefined

describe.skipIf(strip === undefined)('the examples', () => {
  const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? '')
  // Inside the package, so that it finds itself by its name.
  const folder = mkdtempSync(join(import.meta.dirname, 'readme-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each(blocks.map((code, at) => [at + 1, code] as const))(
    'block %i runs',
    async (at, code) => {
      const file = join(folder, `block-${at}.mjs`)
      writeFileSync(file, strip?.(code) ?? '')
      const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
      try {
        await import(/* @vite-ignore */ pathToFileURL(file).href)
        expect(log.mock.calls.map((values) => values.map(String).join(' '))).toEqual(
          promisedOutput(code),
        )
      } finally {
        log.mockRestore()
      }
    },
  )
})

// `console.log(x) // text: why` promises the output `text`.
function promisedOutput(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\) \/\/ ([^:\n]+)/g)].map(([, text]) => text ?? '')
}
