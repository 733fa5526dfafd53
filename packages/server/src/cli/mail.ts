import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { SetupError, messageOf } from '../base/faults.ts'
import type { MailState } from '../store/rows.ts'
import { JSON_FLAG, type Command } from './command.ts'
import { LIMIT_FLAG, readLimit } from './options.ts'
import { print, printRows } from './print.ts'
import { UsageError } from './usage-error.ts'

const STATES: readonly MailState[] = ['waiting', 'sent', 'failed']

const list: Command = {
  words: ['mail', 'list'],
  summary: 'list the mails of the last week, newest first',
  details:
    'A mail waits until the SMTP server accepts it, and fails if the server rejects it for good or it is too old. The reason is the last answer of the server, such as `smtp_550`. The list contains addresses, and no codes or links.',
  operands: [],
  flags: {
    state: {
      type: 'string',
      value: 'STATE',
      text: 'Only mails in this state: `waiting`, `sent` or `failed`.',
    },
    limit: LIMIT_FLAG,
    ...JSON_FLAG,
  },
  example: 'mail list --state failed',
  run: ({ options, withWorkbench }) =>
    withWorkbench(async ({ store }) => {
      const state = readState(options['state'])
      const mails = await store.mail.list({ state, limit: readLimit(options['limit']) })
      const rows = mails.map((mail) => ({
        created: new Date(mail.createdAt),
        kind: mail.kind,
        to: mail.recipient,
        state: mail.state,
        attempts: mail.attempts,
        reason: mail.reason,
        next: mail.dueAt === undefined ? undefined : new Date(mail.dueAt),
        account: mail.accountId,
        id: mail.id,
      }))
      const empty = state === undefined ? 'There are no mails.' : `There are no ${state} mails.`
      printRows(rows, { json: options['json'] === true, empty })
    }),
}

function readState(value: unknown): MailState | undefined {
  if (value === undefined) return undefined
  const state = STATES.find((each) => each === value)
  if (state === undefined) throw new UsageError('--state takes waiting, sent or failed.')
  return state
}

const preview: Command = {
  words: ['mail', 'preview'],
  summary: 'write all mails in all languages with sample values, and check the templates',
  details:
    'Each mail becomes the files `KIND.LOCALE.txt`, `.html` and `.subject`. These are also the names of templates, so a file in the folder of `COUNTERSIGN_MAIL_TEMPLATES` replaces that part. It needs no database and sends nothing.',
  operands: [],
  flags: {
    out: {
      type: 'string',
      value: 'DIR',
      text: 'The folder for the files, which is created. Default: `mail-preview`.',
    },
  },
  example: 'mail preview --out ./mail-preview',
  async run({ options, given }) {
    const folder = typeof options['out'] === 'string' ? options['out'] : 'mail-preview'
    const [{ loadInput }, { renderSamples }] = await Promise.all([
      import('./load-settings.ts'),
      import('../mail/samples.ts'),
    ])
    const { settings, input } = await loadInput(given)
    // Also if this server sends no mail.
    const templates = settings.mail?.templates ?? input.mailTemplates
    const { count, files } = await renderSamples(settings.publicUrl, templates)
    try {
      mkdirSync(folder, { recursive: true })
      for (const { name, content } of files) writeFileSync(join(folder, name), content)
    } catch (error) {
      throw new SetupError(`The files cannot be written to ${folder}: ${messageOf(error)}.`, {
        cause: error,
      })
    }
    print(`${files.length} files written to ${folder}.`)
    if (count > 0) print(`${count} come from the templates in ${templates}.`)
  },
}

/** The commands `countersign mail ...`. */
export const mailCommands: readonly Command[] = [list, preview]
