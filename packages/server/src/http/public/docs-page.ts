import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import { defineAsset, definePage } from '../router/pages.ts'
import type { ApiRoute } from '../router/define.ts'

const about = { tag: 'Documentation' }

/**
 * Allows scripts and styles only from this server, and none inline. Swagger UI sets styles through the DOM,
 * which the policy does not restrict, and uses `data:` URLs for its small images.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign HTTP API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The same facts are in /openapi.json.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  // Otherwise the page would send the document to Swagger's validator service.
  validatorUrl: 'none',
})
`

/**
 * Reads a file of the package when a browser first requests it. The files have 1.7 MB, and most servers never
 * send them.
 */
function readSwaggerUi(name: string): Uint8Array<ArrayBuffer> {
  const { resolve } = createRequire(import.meta.url)
  return new Uint8Array(readFileSync(resolve(`swagger-ui-dist/${name}`)))
}

function swaggerUiFile(id: string, name: string, media: string, summary: string): ApiRoute {
  return defineAsset({
    ...about,
    id,
    path: `/docs/${name}`,
    summary,
    description: 'A file of Swagger UI, from the disk of the server.',
    media,
    read: () => readSwaggerUi(name),
  })
}

/** The interactive page and its files. */
export const docsRoutes: readonly ApiRoute[] = [
  definePage({
    ...about,
    id: 'getDocsPage',
    path: '/docs',
    summary: 'Read and try the HTTP API in a browser',
    description:
      'Swagger UI with the document at `/openapi.json`. It loads nothing from other hosts.',
    policy: () => POLICY,
    render: () => PAGE,
  }),
  swaggerUiFile(
    'getDocsStyle',
    'swagger-ui.css',
    'text/css; charset=utf-8',
    'The style of the page at /docs',
  ),
  swaggerUiFile(
    'getDocsBundle',
    'swagger-ui-bundle.js',
    'text/javascript; charset=utf-8',
    'The script of the page at /docs',
  ),
  swaggerUiFile('getDocsIcon', 'favicon-32x32.png', 'image/png', 'The icon of the page at /docs'),
  defineAsset({
    ...about,
    id: 'getDocsStart',
    path: '/docs/start.js',
    summary: 'Starts Swagger UI on the page at /docs',
    description: 'It is a separate file, because the page allows no inline script.',
    media: 'text/javascript; charset=utf-8',
    read: () => START,
  }),
]
