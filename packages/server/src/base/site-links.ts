/** A link at the end of every page. */
export type SiteLinkName = 'imprint' | 'privacy' | 'terms' | 'support'

/** All names of such links, in the order in which pages show them. */
export const SITE_LINK_NAMES: readonly SiteLinkName[] = ['imprint', 'privacy', 'terms', 'support']

/** The links at the end of every page: https or mailto URLs. */
export type SiteLinks = Readonly<Partial<Record<SiteLinkName, string>>>
