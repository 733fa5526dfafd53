import { preferredLanguage, type SpokenLanguage } from '../accept-language.ts'
import { CATALOGUES } from './catalogue/catalogues.ts'
import type { Messages } from './catalogue/messages.ts'
import type { Site } from './look/site.ts'

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

/**
 * Returns the words in the language of `?lang=`, otherwise in that of the browser, otherwise in English. Without the
 * site, the words are the built-in ones.
 */
export function speechFor(request: Request, site?: Pick<Site, 'words'>): Speech {
  const asked = new URL(request.url).searchParams.get('lang')
  const chosen = LANGUAGES.find((each) => each === asked)
  const wanted = chosen ?? preferredLanguage(request.headers.get('accept-language'))
  const language = wanted ?? 'en'
  const messages = (site?.words ?? CATALOGUES)[language]
  return { language, wanted, isChosen: chosen !== undefined, messages }
}

/** Returns the name of a language in that language. */
export function nameOf(language: SpokenLanguage): string {
  return CATALOGUES[language].language
}

/** Adds the chosen language, and further parameters that have a value, to a path of these pages. */
export function pathIn(
  { isChosen, language }: Speech,
  path: string,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(more)) {
    if (value !== undefined) parameters.set(name, value)
  }
  if (isChosen) parameters.set('lang', language)
  return parameters.size === 0 ? path : `${path}?${parameters.toString()}`
}
