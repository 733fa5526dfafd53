import { expect } from 'vitest'

import type { SeenPage } from './pages.ts'

const ELEMENTS = new Set(
  'html head meta title script noscript link body main nav footer h1 h2 p a span strong time ul li form input label button img pre'.split(
    ' ',
  ),
)

/**
 * Expects a page with nothing inline, that loads the two files of the pages only, that nobody stores or frames, and
 * that links to this server only. `formTarget` is the origin at which its form may end.
 */
export function expectSafe(page: SeenPage, { formTarget }: { formTarget?: string } = {}): void {
  const headers = Object.fromEntries(page.headers)
  const target = formTarget === undefined ? "'self'" : `'self' ${formTarget}`
  expect(headers, page.path).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-robots-tag': 'noindex, nofollow',
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action ${page.html === '' ? "'self'" : target}; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`,
  })
  if (page.html === '') return
  expect(headers['content-type']).toBe('text/html; charset=utf-8')
  const hasList = /\/(?:sessions|activity|review)(?:\?|$)/.test(page.path)
  expect(page.html.length).toBeLessThan(hasList ? 140_000 : 14_000)
  expect(page.tags.map(({ name }) => name).filter((name) => !ELEMENTS.has(name))).toEqual([])
  for (const { name, attributes, text } of page.tags) {
    expect(Object.keys(attributes).filter((each) => /^(?:on|style|srcdoc)/.test(each))).toEqual([])
    if (name === 'script') {
      expect(text).toBe('')
      expect(attributes['src']).toMatch(/^\/auth\/account\/page\.js(?:\?v=[\w-]{16})?$/)
    } else if (name === 'img') {
      expect(attributes['src']).toMatch(/^data:image\/svg\+xml;base64,/)
      expect(attributes['alt']).not.toBe('')
    } else expect(attributes['src']).toBeUndefined()
    for (const each of ['href', 'action']) {
      const value = attributes[each] ?? '/'
      const isOther = formTarget !== undefined && value.startsWith(`${formTarget}/`)
      // The icon of the tab is in the page.
      const isIcon = attributes['rel'] === 'icon' && value.startsWith('data:image/svg+xml,')
      if (!isOther && !isIcon) expect(value).toMatch(/^\/(?!\/)/)
    }
  }
  const [root] = page.tags
  expect(root?.attributes['lang']).toBe(headers['content-language'])
  expect(page.tags.filter(({ name }) => name === 'h1')).toHaveLength(1)
  const ids = page.tags.flatMap(({ attributes: { id } }) => (id === undefined ? [] : [id]))
  expect(ids).toEqual([...new Set(ids)])
}
