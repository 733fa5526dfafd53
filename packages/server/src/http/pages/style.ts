import { createHash } from 'node:crypto'

/** The style of all pages. Each pair of colours has a contrast of at least 4.5 to 1, in both schemes. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #515c6e; --line: #7d8797; --back: #f3f5f9; --card: #fff; --mark: #2a6448; --on: #fff; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a9b3c4; --line: #7c879a; --back: #12161d; --card: #1a202a; --mark: #7fd1a6; --on: #10211a; --bad: #ffb4ab } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { max-width: 26rem; margin: 0 auto; padding: 2.5rem 1.25rem; background: var(--card) }
@media (min-width: 30rem) { main { margin-top: 3rem; border-radius: 12px; padding: 2.5rem } }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25 }
p { margin: .75rem 0 } .site, .hint, footer { color: var(--soft); font-size: .9rem } .site { margin: 0 0 .5rem }
label { display: block; margin-top: 1.25rem; font-weight: 600 } .hint { margin: 0 } .error { margin: .25rem 0; color: var(--bad); font-weight: 600 }
input { width: 100%; min-height: 2.75rem; margin-top: .35rem; padding: .5rem .75rem; background: var(--card); color: inherit; border: 1px solid var(--line); border-radius: 8px; font: inherit }
input[name=code] { font-family: ui-monospace, monospace; letter-spacing: .1em }
input[aria-invalid] { border: 2px solid var(--bad) }
button { width: 100%; min-height: 2.75rem; margin-top: 1.5rem; padding: .5rem 1rem; background: var(--mark); color: var(--on); border: 0; border-radius: 8px; font: inherit; font-weight: 600; cursor: pointer }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px }
.notice { padding: .75rem 1rem; border-left: 4px solid var(--mark); background: var(--back) } .notice.bad { border-color: var(--bad) }
a { color: var(--mark) } footer { max-width: 26rem; margin: 0 auto; padding: 1rem 1.25rem } footer a { display: inline-block; padding: .35rem 0 }
`

const HASH = createHash('sha256').update(STYLE).digest('base64')

/**
 * The Content-Security-Policy of all pages: the style above, forms to this server, and nothing else. A page that
 * another site frames could make people press its buttons.
 */
export const POLICY = `default-src 'none'; style-src 'sha256-${HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`
