import { readFileSync, statSync } from 'node:fs'

import { SetupError, messageOf } from '../base/faults.ts'
import { canEverybodyWrite } from '../base/ownership.ts'
import { readTextFile } from '../base/text-file.ts'
import { CATALOGUES } from '../http/pages/catalogue/catalogues.ts'
import { LOGO_BYTES_MAX, logoUrl } from '../http/pages/look/logo.ts'
import { createSite, type Site } from '../http/pages/look/site.ts'
import { replaceWords } from '../http/pages/look/words.ts'
import type { Settings } from '../settings.ts'

const TEXT_BYTES_MAX = 64 * 1024

/**
 * Reads the files that change the look and the words of the pages. Throws a `SetupError` that names the setting of
 * a file that cannot be used.
 */
export function openSite({ site, publicUrl }: Pick<Settings, 'site' | 'publicUrl'>): Site {
  const { name = new URL(publicUrl).host, colour, links, logo, style, words } = site
  return createSite({
    name,
    colour,
    links,
    logo: logo === undefined ? undefined : using('COUNTERSIGN_SITE_LOGO', logo, readLogo),
    own: style === undefined ? undefined : using('COUNTERSIGN_SITE_STYLE', style, readStyle),
    words: words === undefined ? CATALOGUES : using('COUNTERSIGN_SITE_WORDS', words, readWords),
  })
}

function using<Value>(setting: string, path: string, read: (path: string) => Value): Value {
  try {
    if (canEverybodyWrite(path)) throw new Error('every user of this machine can write to it.')
    return read(path)
  } catch (error) {
    throw new SetupError(`The file of ${setting} cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function readLogo(path: string): string {
  checkSize(path, LOGO_BYTES_MAX)
  const url = logoUrl(readFileSync(path))
  if (url === undefined) throw new Error('it is neither a PNG, nor a WebP, nor an SVG image.')
  return url
}

/** The policy of the pages lets a stylesheet load nothing from other hosts, so such a rule would not work. */
function readStyle(path: string): string {
  checkSize(path, TEXT_BYTES_MAX)
  const text = readTextFile(path)
  if (/@import/i.test(text))
    throw new Error('@import does not work in it. Put all rules in the file.')
  if (/url\(\s*["']?\s*(?!data:)/i.test(text)) {
    throw new Error('url() works only with data: in it.')
  }
  return text
}

function readWords(path: string): Site['words'] {
  checkSize(path, TEXT_BYTES_MAX)
  return replaceWords(JSON.parse(readTextFile(path)))
}

function checkSize(path: string, bytesMax: number): void {
  if (statSync(path).size > bytesMax) throw new Error(`it is larger than ${bytesMax / 1024} KiB.`)
}
