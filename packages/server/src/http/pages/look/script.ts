/**
 * The script of all pages, with the text of the stylesheet in it: so a page needs one request after its HTML. It
 * runs before the body is parsed, so nothing is ever drawn without the style. A browser without constructed
 * stylesheets (Safari before 16.4) loads the stylesheet instead.
 *
 * Besides, it sends each form once, and shows times in the time zone of the browser. All pages work without it.
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
addEventListener('submit', (event) => {
  if (event.target.dataset.again !== undefined) return
  if (sent !== undefined) return event.preventDefault()
  sent = event.submitter
  if (sent) sent.ariaBusy = 'true'
})
addEventListener('pageshow', () => {
  if (sent) sent.ariaBusy = null
  sent = undefined
})
addEventListener('DOMContentLoaded', () => {
  const format = new Intl.DateTimeFormat(doc.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' })
  for (const time of doc.querySelectorAll('time')) time.textContent = format.format(new Date(time.dateTime))
})
})()
`
}
