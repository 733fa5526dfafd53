import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import { describeExamples } from '../../../tests/support/readme-examples.ts'
import { type GuardOptions, refusals } from '../src/index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the README lists exactly the refusals of the code, with status and error', () => {
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

test('the README lists exactly the options of the code', () => {
  const every: Record<keyof GuardOptions, true> = {
    issuer: true,
    allowPrivateHttp: true,
    audience: true,
    jwksUrl: true,
    cookies: true,
    dpop: true,
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

// The examples read this variable.
process.env['GUARD_SECRET'] = 'a secret'

describeExamples(readme, import.meta.dirname)
