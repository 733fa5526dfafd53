import type { SpokenLanguage } from '../../accept-language.ts'
import { CATALOGUES } from '../catalogue/catalogues.ts'
import type { Messages } from '../catalogue/messages.ts'

const CHARS_MAX = 2_000

/**
 * Returns the words of all languages, with some texts replaced: `{"en": {"signIn": {"title": "Welcome"}}}`. Throws an
 * `Error` that names the first text that cannot be replaced. Texts with a value in them cannot.
 */
export function replaceWords(replaced: unknown): Readonly<Record<SpokenLanguage, Messages>> {
  // The copy has the same members as the catalogues, with texts in place of texts.
  return replaceIn(CATALOGUES, replaced, []) as typeof CATALOGUES
}

function replaceIn(own: unknown, replaced: unknown, path: readonly string[]): unknown {
  const name = path.join('.')
  if (typeof own === 'function')
    throw new Error(`${name} has a value in it and cannot be replaced.`)
  if (typeof own === 'string') {
    if (typeof replaced === 'string' && replaced !== '' && replaced.length <= CHARS_MAX)
      return replaced
    throw new Error(`${name} must be a text of 1 to ${CHARS_MAX} characters.`)
  }
  if (!isRecord(own)) throw new Error(`${name} cannot be replaced.`)
  if (!isRecord(replaced)) throw new Error(`${name === '' ? 'The file' : name} must be an object.`)
  const result = { ...own }
  for (const [key, value] of Object.entries(replaced)) {
    if (!Object.hasOwn(own, key)) throw new Error(`${[...path, key].join('.')} is not a text.`)
    result[key] = replaceIn(own[key], value, [...path, key])
  }
  return result
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
