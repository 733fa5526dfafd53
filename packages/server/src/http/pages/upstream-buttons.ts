import { html } from 'hono/html'

import type { HttpServices } from '../services.ts'
import { pathIn, type Speech } from './language.ts'
import type { Html } from './layout.ts'

/** The links that log in with other identities. Empty if the server has no providers. */
export function upstreamButtons(
  { upstream }: Pick<HttpServices, 'upstream'>,
  speech: Speech,
  query: Readonly<Record<string, string | undefined>>,
): readonly Html[] {
  if (upstream === undefined) return []
  const { buttons, continueWith } = speech.messages.upstream
  const links = [...upstream.providers.values()].map(
    ({ name, title }) =>
      html`<a class="button plain" href="${pathIn(speech, `/auth/upstream/${name}`, query)}"
        >${continueWith(title)}</a
      >`,
  )
  return [html`<nav aria-label="${buttons}">${links}</nav>`]
}
