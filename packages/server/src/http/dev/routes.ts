import { isLoopbackHost, isLoopbackAddress } from './loopback.ts'
import type { ApiRoute } from '../router/define.ts'
import { defineLivePage } from '../router/pages.ts'

/** The routes of a server in development. */
export const devRoutes: readonly ApiRoute[] = [
  defineLivePage({
    id: 'getDevOutbox',
    path: '/dev/outbox',
    tag: 'Documentation',
    summary: 'Read the mails of a server in development',
    description:
      'Shows the last 100 mails with their links and codes, which the server keeps in memory instead of sending them. Only this machine gets the page.',
    feature: {
      isOn: ({ devOutbox }) => devOutbox,
      requires:
        'Only without `COUNTERSIGN_SMTP_URL`, with a public URL on this machine, and not with `NODE_ENV=production`.',
    },
    // Mails have inline styles. Scripts, forms and anything from elsewhere stay forbidden, also in their frames.
    policy:
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    render: async ({ devOutbox }, request, { address }) => {
      // The name in the URL too: a page of a stranger could give its own name the address 127.0.0.1.
      const isLocal = isLoopbackAddress(address) && isLoopbackHost(new URL(request.url).hostname)
      if (!isLocal || cameThroughProxy(request)) return undefined
      const { renderOutboxPage } = await import('./outbox-page.ts')
      return renderOutboxPage(devOutbox?.list() ?? [])
    },
  }),
]

/** A proxy on this machine may pass on the requests of strangers. */
function cameThroughProxy({ headers }: Request): boolean {
  return ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => headers.has(name))
}
