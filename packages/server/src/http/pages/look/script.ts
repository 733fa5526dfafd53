import { PASSKEY_SCRIPT } from './passkey-script.ts'

/**
 * The script of all pages, with the text of the stylesheet in it: so a page needs one request after its HTML. It
 * runs before the body is parsed, so nothing is ever drawn without the style. A browser without constructed
 * stylesheets (Safari before 16.4) loads the stylesheet instead.
 *
 * Besides, it sends each form once, shows times in the time zone of the browser, copies recovery codes and uses passkeys.
 * All pages work without it, except passkeys.
 */
export function makeScript(style: string): string {
  return `'use strict'
;(() => {
const doc = document
try {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(${JSON.stringify(style)})
  doc.adoptedStyleSheets = [sheet]
} catch {
  const link = doc.createElement('link')
  link.rel = 'stylesheet'
  link.href = doc.currentScript.src.replace('page.js', 'page.css')
  doc.head.append(link)
}
let sent
const restart = () => {
  if (sent) sent.ariaBusy = null
  sent = undefined
}
${PASSKEY_SCRIPT}
addEventListener('submit', (event) => {
  if (event.target.dataset.again !== undefined) return
  if (sent !== undefined) return event.preventDefault()
  sent = event.submitter
  if (sent) sent.ariaBusy = 'true'
  if (event.target.dataset.passkey === undefined) return
  event.preventDefault()
  pressPasskey(event.target)
})
addEventListener('pageshow', ({ persisted }) => {
  restart()
  if (persisted) offerPasskeys()
})
addEventListener('DOMContentLoaded', () => {
  const format = new Intl.DateTimeFormat(doc.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' })
  for (const time of doc.querySelectorAll('time')) time.textContent = format.format(new Date(time.dateTime))
  const copy = doc.querySelector('[data-copy]')
  if (copy && navigator.clipboard) {
    copy.hidden = false
    copy.addEventListener('click', async () => {
      await navigator.clipboard.writeText(doc.querySelector('pre').textContent)
      copy.textContent = copy.dataset.copy
    })
  }
  startPasskeys()
})
})()
`
}
