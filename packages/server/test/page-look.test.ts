import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { contrastOf, shadesOf } from '../src/http/pages/look/colours.ts'
import { logoUrl } from '../src/http/pages/look/logo.ts'
import { openTestAuthority, type TestAuthority } from './support/authority.ts'
import { expectSafe } from './support/page-safety.ts'
import { PageBrowser, type SeenPage } from './support/pages.ts'

let folder: string
let it: TestAuthority
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-look-'))
  it = await openTestAuthority()
})
afterAll(async () => {
  await it[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

async function get(
  path: string,
  headers: Record<string, string> = {},
  own: Pick<TestAuthority, 'authority'> = it,
): Promise<Response> {
  return own.authority.fetch(new Request(`http://localhost:8000${path}`, { headers }))
}

/** The URL of the script in a page. */
function scriptOf({ tags }: SeenPage): string {
  return tags.find(({ name }) => name === 'script')?.attributes['src'] ?? ''
}

describe('the files of the pages', () => {
  test('everything that the sign-in page needs is the page and one file, together below 14 kB', async () => {
    const page = await new PageBrowser(it).open('/sign-in')
    const loaded = page.tags.flatMap(({ name, attributes }) =>
      name === 'script' || name === 'img' ? [attributes['src']] : [],
    )
    expect(loaded).toHaveLength(1)
    const script = await get(scriptOf(page), { 'accept-encoding': 'gzip, deflate, br' })
    const bytes = page.html.length + (await script.arrayBuffer()).byteLength
    expect(bytes).toBeLessThan(14_000)
  })

  test.each([
    ['page.js', 'text/javascript; charset=utf-8'],
    ['page.css', 'text/css; charset=utf-8'],
  ])(
    '%s is compressed as the browser accepts it, with a tag for each coding',
    async (name, type) => {
      const path = `/auth/account/${name}`
      const plain = await get(path)
      const text = await plain.text()
      expect(plain.headers.get('content-encoding')).toBeNull()
      const tags = new Set([plain.headers.get('etag')])
      for (const [accepted, coding, unpack] of [
        ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
        ['gzip', 'gzip', gunzipSync],
        ['br;q=0, gzip;q=0.5', 'gzip', gunzipSync],
        ['GZIP', 'gzip', gunzipSync],
      ] as const) {
        const packed = await get(path, { 'accept-encoding': accepted })
        expect(packed.headers.get('content-encoding')).toBe(coding)
        expect(unpack(Buffer.from(await packed.arrayBuffer())).toString()).toBe(text)
        tags.add(packed.headers.get('etag'))
      }
      expect(tags.size).toBe(3)
      for (const accepted of ['', 'identity', 'br;q=0', 'x-br', 'br;q=0.000']) {
        const answer = await get(path, { 'accept-encoding': accepted })
        expect(answer.headers.get('content-encoding')).toBeNull()
      }
      expect(Object.fromEntries(plain.headers)).toMatchObject({
        'content-type': type,
        'cache-control': 'no-cache',
        vary: 'Accept-Encoding',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      })
      const etag = plain.headers.get('etag') ?? ''
      expect((await get(path, { 'if-none-match': etag })).status).toBe(304)
      expect((await get(path, { 'if-none-match': '"x"' })).status).toBe(200)
    },
  )

  test('are kept for a year under the URL of the pages, and not under another version', async () => {
    const script = scriptOf(await new PageBrowser(it).open('/sign-in'))
    expect((await get(script)).headers.get('cache-control')).toBe(
      'public, max-age=31536000, immutable',
    )
    const old = await get('/auth/account/page.js?v=aaaaaaaaaaaaaaaa')
    expect(old.headers.get('cache-control')).toBe('no-cache')
  })

  test('have the same style, which is inside the script', async () => {
    const [script, style] = await Promise.all(
      ['page.js', 'page.css'].map(async (name) => (await get(`/auth/account/${name}`)).text()),
    )
    expect(script).toContain(JSON.stringify(style))
    expect(script).not.toMatch(/innerHTML|document\.write|eval\(|Function\(|https?:/)
  })
})

describe('the operator sets', () => {
  test('name, logo, colour and links', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
    await using own = await openTestAuthority({
      siteName: 'Shop & <b>Co</b>',
      siteLogo: file('logo.svg', svg),
      siteColor: '#ffcc00',
      siteLinks: 'imprint=https://shop.example/imprint?a=1&b=2,support=mailto:help@shop.example',
    })
    const page = await new PageBrowser(own).open('/sign-in')
    expect(page.tags.some(({ name }) => name === 'b')).toBe(false)
    expect(page.text).toContain('Shop & <b>Co</b>')
    const links = page.tags.filter(({ name }) => name === 'a').slice(-2)
    expect(links.map(({ text, attributes }) => [text, attributes['href']])).toEqual([
      ['Imprint', 'https://shop.example/imprint?a=1&b=2'],
      ['Support', 'mailto:help@shop.example'],
    ])
    const style = await (await get('/auth/account/page.css', {}, own)).text()
    expect(style).toContain(
      `url("data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}")`,
    )
    expect(style).toContain(`--mark: ${shadesOf('#ffcc00').light.mark}`)
    expect(page.tags.some(({ attributes }) => attributes['class'] === 'logo')).toBe(true)
  })

  test('a style and words of their own', async () => {
    await using own = await openTestAuthority({
      siteStyle: file('own.css', 'main { border: 1px solid }'),
      siteWords: file('words.json', JSON.stringify({ en: { signIn: { title: 'Welcome <b>' } } })),
    })
    const page = await new PageBrowser(own).open('/sign-in')
    expectSafe(page)
    expect(page.title).toBe('Welcome <b>')
    expect(await (await get('/auth/account/page.css', {}, own)).text()).toContain('1px solid')
    expect((await new PageBrowser(own, { language: 'de' }).open('/sign-in')).title).toBe('Anmelden')
  })

  test.each([
    ['siteWords', '{"en": {"signIn": {"titel": "x"}}}', /en\.signIn\.titel is not a text/],
    ['siteWords', '{"en": {"signIn": {"title": 7}}}', /en\.signIn\.title must be a text/],
    ['siteWords', '{"en": {"signIn": {"title": ""}}}', /must be a text of 1 to/],
    ['siteWords', '{"en": {"signIn": "x"}}', /en\.signIn must be an object/],
    ['siteWords', '{"en": {"signIn": {"signedInAs": "x"}}}', /has a value in it/],
    ['siteWords', '{"fr": {}}', /fr is not a text/],
    ['siteWords', '{"en": {"__proto__": {"title": "x"}}}', /__proto__ is not a text/],
    ['siteWords', '[]', /The file must be an object/],
    ['siteWords', '{', /cannot be used/],
    ['siteStyle', '@import "x.css";', /@import does not work/],
    ['siteStyle', 'a { background: url(https://evil.example/x) }', /only with data:/],
    ['siteStyle', 'x'.repeat(70_000), /larger than 64 KiB/],
    ['siteLogo', 'GIF89a', /neither a PNG, nor a WebP, nor an SVG/],
    ['siteLogo', '<html><svg>', /neither a PNG/],
    ['siteLogo', '<svg>'.repeat(2_000), /larger than 8 KiB/],
  ])('nothing wrong: %s %s', async (name, content, message) => {
    const path = file('wrong', content)
    await expect(openTestAuthority({ [name]: path })).rejects.toThrow(message)
  })

  test.each([
    [{ siteColor: 'red' }, /siteColor/],
    [{ siteColor: '#fff;}' }, /siteColor/],
    [{ siteName: 'a\nb' }, /siteName/],
    [{ siteName: 'x'.repeat(61) }, /siteName/],
    [{ siteLinks: 'imprint=javascript:alert(1)' }, /siteLinks/],
    [{ siteLinks: 'imprint=http://example.com' }, /siteLinks/],
    [{ siteLinks: 'blog=https://example.com' }, /siteLinks/],
    [{ siteLogo: '/nowhere' }, /COUNTERSIGN_SITE_LOGO/],
  ])('nothing wrong: %j', async (config, message) => {
    await expect(openTestAuthority(config)).rejects.toThrow(message)
  })
})

test('every colour becomes readable in both schemes', () => {
  const channel = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(channel, channel, channel, (red, green, blue) => {
      const colour = `#${[red, green, blue].map((each) => each.toString(16).padStart(2, '0')).join('')}`
      const { light, dark } = shadesOf(colour)
      for (const [{ mark, on }, backs] of [
        [light, ['#ffffff', '#f3f5f9']],
        [dark, ['#1a202a', '#12161d']],
      ] as const) {
        for (const back of [...backs, on])
          expect(contrastOf(mark, back)).toBeGreaterThanOrEqual(4.5)
      }
    }),
  )
})

test('a logo is known by its bytes', () => {
  const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0])
  expect(logoUrl(png)).toMatch(/^data:image\/png;base64,/)
  expect(logoUrl(Buffer.from('RIFF1234WEBPVP8 '))).toMatch(/^data:image\/webp;base64,/)
  expect(logoUrl(Buffer.from('<?xml version="1.0"?>\n<!-- a -->\n<svg width="1">'))).toMatch(/svg/)
  expect(logoUrl(Buffer.from('<!doctype html><svg>'))).toBeUndefined()
})

describe('without pages', () => {
  test('no page answers, and an application may have its own /sign-in', async () => {
    await using own = await openTestAuthority({ pages: false })
    for (const path of [
      '/sign-in',
      '/auth/account',
      '/auth/account/forgot',
      '/auth/account/page.js',
    ]) {
      expect((await get(path, {}, own)).status).toBe(404)
    }
    const server = createServer((_, response) => response.end('mine'))
    own.authority.attach(server)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const base = `http://127.0.0.1:${port}`
    expect(await (await fetch(`${base}/sign-in`)).text()).toBe('mine')
    expect((await fetch(`${base}/auth/session`)).status).toBe(401)
    server.close()
  })

  test('mails need pages of the application for their links', async () => {
    const mail = { smtpUrl: 'smtp://127.0.0.1:9', mailFrom: 'a@example.com' } as const
    await expect(openTestAuthority({ pages: false, ...mail })).rejects.toThrow(
      /links must name a page for reset, verify, invite/,
    )
    const links = ['reset', 'verify', 'invite'].map((name) => `${name}=https://a.example/${name}`)
    await using own = await openTestAuthority({ pages: false, ...mail, links: links.join(',') })
    expect((await get('/healthz', {}, own)).status).toBe(200)
  })
})
