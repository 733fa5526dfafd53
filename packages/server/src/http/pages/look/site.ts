import { createHash } from 'node:crypto'

import type { SiteLinks } from '../../../base/site-links.ts'
import type { SpokenLanguage } from '../../accept-language.ts'
import type { Messages } from '../catalogue/messages.ts'
import { makeScript } from './script.ts'
import { makeStyle, type StyleParts } from './style.ts'

/** How the pages of this server look, as its operator has set it. */
export interface Site {
  /** The name that people see. It never comes from a request. */
  readonly name: string
  readonly links: SiteLinks
  readonly hasLogo: boolean
  readonly style: string
  readonly script: string
  /** Names the content of both files. */
  readonly version: string
  readonly words: Readonly<Record<SpokenLanguage, Messages>>
}

/** Puts the look of the pages together. `words` are the words of each language, with those of the operator. */
export function createSite({
  name,
  links,
  words,
  ...parts
}: StyleParts & Pick<Site, 'name' | 'links' | 'words'>): Site {
  const style = makeStyle(parts)
  const script = makeScript(style)
  const version = createHash('sha256').update(script).digest('base64url').slice(0, 16)
  return { name, links, words, hasLogo: parts.logo !== undefined, style, script, version }
}
