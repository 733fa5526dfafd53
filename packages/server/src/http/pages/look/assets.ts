import { createHash } from 'node:crypto'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

import { withPages } from '../features.ts'
import type { ApiRoute } from '../../router/define.ts'
import { isFresh } from '../../router/etag.ts'
import { lazy } from '../../router/lazy.ts'
import { publicRow } from '../../router/pages.ts'
import type { Site } from './site.ts'

type Coding = 'br' | 'gzip'

interface Packed {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly etag: string
  readonly coding: Coding | undefined
}

/**
 * The two files of the pages, compressed once. Their URL in a page names their content, so browsers keep them for a
 * year. Under another URL, browsers ask again at each use.
 */
export const assetRoutes: readonly ApiRoute[] = [
  fileRow('script', {
    id: 'getPageScript',
    path: '/auth/account/page.js',
    summary: 'Get the script of the pages',
    media: 'text/javascript; charset=utf-8',
  }),
  fileRow('style', {
    id: 'getPageStyle',
    path: '/auth/account/page.css',
    summary: 'Get the stylesheet of the pages',
    media: 'text/css; charset=utf-8',
  }),
]

function fileRow(
  part: 'script' | 'style',
  { media, ...about }: Pick<ApiRoute, 'id' | 'path' | 'summary'> & { readonly media: string },
): ApiRoute {
  return {
    ...publicRow({
      ...about,
      tag: 'Account pages',
      description: 'With `?v=` as in the pages, it may be kept for a year.',
    }),
    feature: withPages,
    isExact: false,
    kind: 'asset',
    answers: () => [
      { status: 200, description: 'The file.', media },
      { status: 304, description: 'The copy that `If-None-Match` names is current.' },
    ],
    bind: ({ site }) => {
      const packed = lazy(() => pack(site[part]))
      return (request) => answer(packed(), site, media, request)
    },
  }
}

function answer(
  packed: ReadonlyMap<Coding | undefined, Packed>,
  { version }: Site,
  media: string,
  request: Request,
): Response {
  const accepted = request.headers.get('accept-encoding') ?? ''
  const coding = (['br', 'gzip'] as const).find((each) => accepts(accepted, each))
  const file = packed.get(coding)
  if (file === undefined) throw new TypeError('Every coding was packed.')
  const isVersioned = new URL(request.url).searchParams.get('v') === version
  const headers = {
    etag: file.etag,
    vary: 'Accept-Encoding',
    'cache-control': isVersioned ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-type': media,
    ...(file.coding === undefined ? {} : { 'content-encoding': file.coding }),
  }
  return isFresh(request, file.etag)
    ? new Response(null, { status: 304, headers })
    : new Response(file.bytes, { headers })
}

/** Whether `Accept-Encoding` (RFC 9110 §12.5.3) names a coding, with a weight above 0. */
function accepts(header: string, coding: Coding): boolean {
  return header.split(',').some((each) => {
    const [name = '', weight = ''] = each
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/)
    return name === coding && !/^q=0(?:\.0*)?$/.test(weight)
  })
}

function pack(text: string): ReadonlyMap<Coding | undefined, Packed> {
  const plain = Buffer.from(text)
  const hash = createHash('sha256').update(plain).digest('base64url').slice(0, 22)
  const brotli = brotliCompressSync(plain, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
  })
  const of = (coding: Coding | undefined, bytes: Uint8Array): [Coding | undefined, Packed] => [
    coding,
    {
      coding,
      bytes: new Uint8Array(bytes),
      etag: `"${hash}${coding === undefined ? '' : `-${coding}`}"`,
    },
  ]
  return new Map([
    of('br', brotli),
    of('gzip', gzipSync(plain, { level: 9 })),
    of(undefined, plain),
  ])
}
