import { shadesOf } from './colours.ts'

/** The style of all pages. Each pair of colours has a contrast of at least 4.5 to 1, in both schemes. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --soft: #515c6e; --line: #7d8797; --rule: #dde2ea; --back: #f3f5f9; --card: #fff; --mark: #2a6448; --on: #fff; --bad: #b3261e; --onbad: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a9b3c4; --line: #7c879a; --rule: #333d4d; --back: #12161d; --card: #1a202a; --mark: #7fd1a6; --on: #10211a; --bad: #ffb4ab; --onbad: #3b0906 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { max-width: 26rem; margin: 0 auto; padding: 2.5rem 1.25rem; background: var(--card) }
main.wide { max-width: 38rem }
@media (min-width: 30rem) { main { margin-top: 3rem; border-radius: 12px; padding: 2.5rem } }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25 } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem }
p { margin: .75rem 0 } .site, .hint, footer, .soft { color: var(--soft); font-size: .9rem } .site, .back { margin: 0 0 .5rem } .site b { color: var(--ink); font-weight: 600 }
label { display: block; margin-top: 1.25rem; font-weight: 600 } .hint { margin: 0 } .error { margin: .25rem 0; color: var(--bad); font-weight: 600 }
input { width: 100%; min-height: 2.75rem; margin-top: .35rem; padding: .5rem .75rem; background: var(--card); color: inherit; border: 1px solid var(--line); border-radius: 8px; font: inherit }
input[name=code], input[name=totp], input[name=recovery_code], pre { font-family: ui-monospace, monospace; letter-spacing: .1em }
input[aria-invalid] { border: 2px solid var(--bad) }
button, .button { display: block; width: 100%; min-height: 2.75rem; margin-top: 1.5rem; padding: .5rem 1rem; background: var(--mark); color: var(--on); border: 2px solid var(--mark); border-radius: 8px; font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer }
.plain { background: none; color: var(--mark) } nav .button { margin-top: .75rem } button.bad { background: var(--bad); border-color: var(--bad); color: var(--onbad) } button[aria-busy] { opacity: .7; cursor: progress }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px }
.notice { padding: .75rem 1rem; border-left: 4px solid var(--mark); background: var(--back) } .notice.bad { border-color: var(--bad) }
a { color: var(--mark) } .links a, footer a, .back a { display: inline-block; padding: .35rem 0 } .links { margin-top: 1.25rem; padding: 0; list-style: none }
.rows { margin: 1rem 0 0; padding: 0; list-style: none; border-top: 1px solid var(--rule) } .rows > li { padding: .75rem 0; border-bottom: 1px solid var(--rule) } .rows p { margin: 0 } .rows a { display: block; padding: .2rem 0; font-weight: 600 } .rows button { width: auto; margin-top: .5rem; min-height: 2.5rem } .tag { display: inline-block; padding: 0 .5rem; border: 1px solid var(--line); border-radius: 99px; font-size: .85rem; font-weight: 400 }
footer { max-width: 26rem; margin: 0 auto; padding: 1rem 1.25rem } main.wide + footer { max-width: 38rem } @media (min-width: 30rem) { footer { padding: 1rem 2.5rem } } footer a { margin-right: 1.25rem }
[hidden] { display: none !important } .check { display: flex; gap: .6rem; align-items: center; font-weight: 400 } input[type=checkbox] { width: 1.4rem; min-height: 1.4rem; margin: 0; flex: none; accent-color: var(--mark) }
pre { margin: 1rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px; line-height: 1.9; white-space: pre-wrap } .qr { display: block; width: 13rem; height: 13rem; margin: 1rem auto; border-radius: 8px } form + form button { margin-top: .75rem }
@media print { form, footer, .site, .button, nav, [data-copy] { display: none } }
.logo { display: block; height: 2.5rem; margin-bottom: .75rem; background: var(--logo) left / contain no-repeat }
`

/** The parts of the style that an operator sets. */
export interface StyleParts {
  /** Six hexadecimal digits, such as `#2a6448`. Undefined: the colour of the built-in style. */
  readonly colour: string | undefined
  /** A data URL. Undefined: no logo. */
  readonly logo: string | undefined
  /** Rules that come after the built-in ones. */
  readonly own: string | undefined
}

/**
 * Makes the text of the stylesheet. The logo is in it, because a file of its own would be one more request before a
 * person can sign in.
 */
export function makeStyle({ colour, logo, own = '' }: StyleParts): string {
  return [
    STYLE.trim(),
    colour === undefined ? '' : colourRules(colour),
    logo === undefined ? '' : `:root { --logo: url("${logo}") }`,
    own,
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function colourRules(colour: string): string {
  const { light, dark } = shadesOf(colour)
  return `:root { --mark: ${light.mark}; --on: ${light.on} }
@media (prefers-color-scheme: dark) { :root { --mark: ${dark.mark}; --on: ${dark.on} } }`
}
