import { preferredLanguage, type SpokenLanguage } from '../accept-language.ts'
import { de } from './catalogue/de.ts'
import { en } from './catalogue/en.ts'
import type { Messages } from './catalogue/messages.ts'

const CATALOGUES = { en, de } as const satisfies Readonly<Record<SpokenLanguage, Messages>>

/** All languages of the pages. */
export const LANGUAGES: readonly SpokenLanguage[] = ['en', 'de']

/** The language of one page and its words. */
export interface Speech {
  readonly language: SpokenLanguage
  /** The language that the person or the browser asked for. Undefined if no mail or page exists in it. */
  readonly wanted: SpokenLanguage | undefined
  /** Whether the person chose the language in the URL. Links and forms of the page then keep it. */
  readonly isChosen: boolean
  readonly messages: Messages
}

/** Returns the words in the language of `?lang=`, otherwise in that of the browser, otherwise in English. */
export function speechFor(request: Request): Speech {
  const asked = new URL(request.url).searchParams.get('lang')
  const chosen = LANGUAGES.find((each) => each === asked)
  const wanted = chosen ?? preferredLanguage(request.headers.get('accept-language'))
  const language = wanted ?? 'en'
  return { language, wanted, isChosen: chosen !== undefined, messages: CATALOGUES[language] }
}

/** Returns the name of a language in that language. */
export function nameOf(language: SpokenLanguage): string {
  return CATALOGUES[language].language
}

/** Adds the chosen language to a path of these pages. */
export function pathIn({ isChosen, language }: Speech, path: string): string {
  return isChosen ? `${path}?lang=${language}` : path
}
