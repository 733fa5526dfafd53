/** A language in which the server writes to people. */
export type SpokenLanguage = 'en' | 'de'

/**
 * Returns the language of ours that a browser prefers (RFC 9110 §12.5.4), or undefined if it names none. Reads
 * the first 200 characters of the header.
 */
export function preferredLanguage(header: string | null): SpokenLanguage | undefined {
  let best: { readonly language: SpokenLanguage; readonly weight: number } | undefined
  for (const part of (header ?? '').slice(0, 200).split(',')) {
    const match = /^\s*(en|de)(?:-[\w-]*)?\s*(?:;\s*q=([\d.]+)\s*)?$/i.exec(part)
    if (match === null) continue
    const language = match[1]?.toLowerCase() === 'de' ? 'de' : 'en'
    const weight = Number(match[2] ?? 1)
    if (weight > (best?.weight ?? 0)) best = { language, weight }
  }
  return best?.language
}
