import { createHash } from 'node:crypto'

import type { AccessTokenSettings } from '../../sessions/access-token.ts'
import type { RouteDescription } from '../router/route.ts'

/** Returns the Content-Security-Policy of the start page. It allows only the page's own style. */
export function startPagePolicy(): string {
  const styleHash = createHash('sha256').update(STYLE).digest('base64')
  return `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5a6577; --line: #d9dee7; --back: #f7f8fb; --card: #fff; --mark: #2f6f4f }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #9aa5b8; --line: #2d3543; --back: #12161d; --card: #1a202a; --mark: #7fd1a6 } }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem }
h1 { margin: 0; font-size: 1.7rem }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.05rem }
p { margin: .4rem 0; color: var(--soft) } p b { color: var(--mark) }
pre { margin: .6rem 0; padding: .9rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; font: 13.5px/1.5 ui-monospace, monospace }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); border-radius: 8px }
td { padding: .45rem .8rem; border-top: 1px solid var(--line); vertical-align: top } tr:first-child td { border-top: 0 }
td:first-child { white-space: nowrap } p { overflow-wrap: anywhere } code { font: 13.5px ui-monospace, monospace } a { color: inherit }
@media (max-width: 44rem) { td { display: block; overflow-wrap: anywhere } td:first-child { white-space: normal; padding-bottom: 0 } td + td { border-top: 0; padding-top: 0 } }
`

/**
 * `GET /`: a page that shows what runs here and what to do next. It has no script and loads nothing from
 * other hosts.
 */
export function renderStartPage(
  { issuer, audience, lifetimeSec }: AccessTokenSettings,
  routes: readonly RouteDescription[],
): string {
  const url = escapeHtml(issuer)
  const login = routes.find(({ id }) => id === 'obtainTokens')?.body?.example ?? {}
  const [usernameField = 'username'] = Object.keys(login)
  // A guard without this option expects the issuer as the audience.
  const audienceLine = audience === issuer ? '' : `\n  audience: '${escapeHtml(audience)}',`
  const rows = routes
    .filter(({ kind }) => kind === 'api' || kind === 'node')
    .map(
      ({ method, path, summary }) =>
        `<tr><td><code>${method} ${escapeHtml(path)}</code></td><td>${escapeHtml(summary)}</td></tr>`,
    )
    .join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Countersign</h1>
<p><b>Running.</b> This server logs people in and signs the tokens that your services verify by themselves.</p>
<p>Every route with its fields and errors: <a href="/docs">/docs</a></p>

<h2>Log in</h2>
<pre>curl ${url}/api/token/ -d ${usernameField}=admin --data-urlencode 'password=PASSWORD'</pre>
<p>The server printed the first account and its password when it started.
Create more accounts with <code>countersign accounts create NAME</code>.
In a clone of the repository: <code>npm run countersign -- accounts create NAME</code>.</p>

<h2>Verify tokens in a service</h2>
<pre>import { createGuard } from '@countersign/guard'
import { authOf, requireAuth } from '@countersign/guard/express'

const guard = createGuard({
  issuer: '${url}',${audienceLine}
  feed: { clientId: 'svc_...', clientSecret: process.env['GUARD_SECRET'] ?? '' },
})
app.get('/me', requireAuth(guard), (request, response) =&gt; response.json(authOf(request)))</pre>
<p><code>countersign clients create guards</code> prints the client id and the secret.
An access token expires after ${lifetimeSec} seconds.</p>

<h2>Routes</h2>
<table>
${rows}
</table>
</main>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
