import type { SpokenLanguage } from '../../accept-language.ts'
import { de } from './de.ts'
import { en } from './en.ts'
import type { Messages } from './messages.ts'

/** The words of the pages in each language. */
export const CATALOGUES = { en, de } as const satisfies Readonly<Record<SpokenLanguage, Messages>>
