import { renderHttpReference } from '../lib/http-reference.ts'

/** docs/reference/http.md, from the route table of the server. */

export const path = 'docs/reference/http.md'

export const render = renderHttpReference
