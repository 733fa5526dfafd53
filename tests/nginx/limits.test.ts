import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** The regular expressions of the map, without their first character `~`. */
const limited = [...read('deploy/nginx/limits.conf').matchAll(/"~(\^POST [^"]+)" \$binary/g)].map(
  ([, pattern = '']) => new RegExp(pattern),
)
const isLimited = (path: string): boolean => limited.some((pattern) => pattern.test(`POST ${path}`))

/** The POST routes of the HTTP reference, and whether each can answer `throttled`. */
const routes = read('docs/reference/http.md')
  .split(/^### /m)
  .map((section) => ({
    path: /^POST (\S+)/.exec(section)?.[1] ?? '',
    isThrottled: section.includes('`throttled`'),
  }))
  .filter(({ path }) => path !== '')

test('the limit of nginx covers every route where Countersign throttles, except the feed and own sessions', () => {
  expect(routes.length).toBeGreaterThan(50)
  const missed = routes.filter(({ path, isThrottled }) => isThrottled && !isLimited(path))
  expect(missed.map(({ path }) => path).toSorted()).toEqual([
    '/auth/sessions/end-all',
    '/auth/sessions/end-others',
    '/revocations',
  ])
  expect(isLimited('/api/token/')).toBe(true)
})

test.each([
  '/auth/refresh',
  '/auth/refresh/',
  '/auth/logout',
  '/api/token/refresh/',
  '/api/token/verify/',
  '/api/token/blacklist/',
  '/oauth2/introspect',
  '/oauth2/revoke',
])('%s is not limited', (path) => expect(isLimited(path)).toBe(false))

test.each([
  '/api/token',
  '/auth/login/',
  '/auth/login',
  '/auth/refresh-all',
  '/sign-in',
  '/oauth2/token/',
])('%s is limited, with and without a slash at the end', (path) =>
  expect(isLimited(path)).toBe(true),
)
