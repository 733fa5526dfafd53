import type { Feature } from '../router/route.ts'
import { withPages } from '../pages/features.ts'
import type { HttpServices } from '../services.ts'
import type { UpstreamServices } from '../../upstream/services.ts'

const REQUIRES =
  'Exists with a provider of identities (`COUNTERSIGN_UPSTREAM_...`), if Countersign keeps the accounts.'

/** With providers whose identities can log in. */
export const withUpstreams: Feature = { isOn: ({ upstreams }) => upstreams, requires: REQUIRES }

/** The pages about identities. */
export const upstreamPages: Feature = {
  isOn: ({ upstreams, pages }) => upstreams && pages,
  requires: `${REQUIRES} ${withPages.requires}`,
}

/** The services of a route that exists only with providers. */
export function requireUpstream({ upstream }: HttpServices): UpstreamServices {
  // The feature of the route guarantees that they exist.
  if (upstream === undefined) throw new TypeError('This route requires providers.')
  return upstream
}
