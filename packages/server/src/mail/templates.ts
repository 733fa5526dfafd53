import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { SetupError, messageOf } from '../base/faults.ts'
import { canEverybodyWrite } from '../base/ownership.ts'
import { readTextFile } from '../base/text-file.ts'
import type { MailKind, MailLocale } from '../store/rows.ts'
import { MAIL_KINDS, MAIL_LOCALES, SHOWN, type ShownName } from './kinds.ts'

/**
 * Templates that replace parts of the built-in mails: files `KIND.LOCALE.PART` in one folder, such as
 * `reset_password.de.html`. `{{name}}` stands for a value. There is nothing else, so a value can never become
 * a part of the template.
 */

/** The part of a mail that a template replaces. */
export type MailPart = 'subject' | 'txt' | 'html'

const PARTS: readonly MailPart[] = ['subject', 'txt', 'html']
const FILE = /^([a-z_]+)\.([a-z]+)\.(subject|txt|html)$/
const PLACEHOLDER = /\{\{\s*(\w*)\s*\}\}/g
const TEMPLATE_BYTES_MAX = 256 * 1024

/** The values of a mail by their names. */
export type TemplateValues = Readonly<Partial<Record<ShownName, string>>>

/** The templates of one folder. */
export interface MailTemplates {
  /** How many files were read. */
  readonly count: number
  /** Fills in a template. Undefined if the folder has no template for this part. */
  fill(
    kind: MailKind,
    locale: MailLocale,
    part: MailPart,
    values: TemplateValues,
  ): string | undefined
}

/**
 * Reads and checks all templates of a folder. Throws a `SetupError` that names every mistake. Files with other
 * endings are ignored.
 */
export function loadTemplates(folder: string): MailTemplates {
  const texts = new Map<string, string>()
  const mistakes: string[] = []
  for (const name of listFolder(folder)) {
    if (!PARTS.some((part) => name.endsWith(`.${part}`))) continue
    try {
      texts.set(name, readTemplate(folder, name))
    } catch (error) {
      mistakes.push(`  ${name}: ${messageOf(error)}`)
    }
  }
  if (mistakes.length > 0) {
    throw new SetupError(
      [`Some mail templates in ${folder} are not valid:`, ...mistakes].join('\n'),
    )
  }
  return {
    count: texts.size,
    fill(kind, locale, part, values) {
      const text = texts.get(`${kind}.${locale}.${part}`)
      return text === undefined ? undefined : fillTemplate(text, part, values)
    },
  }
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch (error) {
    throw new SetupError(
      `The mail templates in ${folder} cannot be read: ${messageOf(error)}. Correct COUNTERSIGN_MAIL_TEMPLATES.`,
      { cause: error },
    )
  }
}

/** Throws an `Error` that says what is wrong with the file. */
function readTemplate(folder: string, name: string): string {
  const [, kindName = '', localeName = '', part = ''] = FILE.exec(name) ?? []
  const kind = MAIL_KINDS.find((each) => each === kindName)
  if (kind === undefined) {
    throw new Error(
      `is not named KIND.LOCALE.txt, .html or .subject. The kinds are ${MAIL_KINDS.join(', ')}.`,
    )
  }
  if (!MAIL_LOCALES.some((each) => each === localeName)) {
    throw new Error(`has no known language. The languages are ${MAIL_LOCALES.join(', ')}.`)
  }
  const path = join(folder, name)
  if (canEverybodyWrite(path)) throw new Error('every user of this machine can write to it.')
  if (statSync(path).size > TEMPLATE_BYTES_MAX) throw new Error('is larger than 256 KiB.')
  const text = readTextFile(path)
  checkPlaceholders(text, kind, part)
  return text
}

function checkPlaceholders(text: string, kind: MailKind, part: string): void {
  const known: readonly string[] = SHOWN[kind]
  const used = [...text.matchAll(PLACEHOLDER)].map(([, name = '']) => name)
  const unknown = used.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Error(
      `has the unknown placeholder {{${unknown}}}. This mail has ${known.map((name) => `{{${name}}}`).join(', ')}.`,
    )
  }
  if (/\{\{|\}\}/.test(text.replace(PLACEHOLDER, ''))) {
    throw new Error('has "{{" or "}}" that belongs to no placeholder.')
  }
  if (part === 'subject') {
    if (text.trim() === '' || /[\r\n]/.test(text.trim())) throw new Error('must contain one line.')
    if (used.includes('code') || used.includes('url')) {
      throw new Error(
        'must not contain the code or the link, because locked screens show subjects.',
      )
    }
    return
  }
  const missing = known.includes('code')
    ? ['code', 'url'].find((name) => !used.includes(name))
    : undefined
  if (missing !== undefined) {
    throw new Error(`lacks {{${missing}}}. This mail needs the link and the code.`)
  }
}

/** Fills in a template in one pass, so that a value that contains `{{name}}` stays as it is. */
function fillTemplate(text: string, part: MailPart, values: TemplateValues): string {
  const escape = part === 'html' ? escapeHtml : part === 'subject' ? toOneLine : asIs
  const filled = text.replace(PLACEHOLDER, (_, name: string) =>
    // `checkPlaceholders` has accepted only names of values.
    escape(values[name as ShownName] ?? ''),
  )
  return part === 'subject' ? filled.trim() : filled
}

function asIs(value: string): string {
  return value
}

function toOneLine(value: string): string {
  return value.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

function escapeHtml(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
