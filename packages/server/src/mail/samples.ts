import type { EpochMs } from '../base/clock.ts'
import { MAIL_KINDS, MAIL_LOCALES, type MailValues } from './kinds.ts'
import { createRenderer, type RenderedMail } from './render.ts'
import { loadTemplates } from './templates.ts'

/** When the samples are written and sent. */
const AT: EpochMs = Date.UTC(2026, 10, 23, 12)

/** One file of the preview. */
export interface SampleFile {
  /** `KIND.LOCALE.PART`, as for templates. */
  readonly name: string
  readonly content: string
}

/** Sample values of every kind of mail. `publicUrl` is the beginning of their links. */
export function sampleValues(publicUrl: string): {
  readonly [K in keyof MailValues]: MailValues[K]
} {
  const proof = {
    code: 'WDJB-MJHT',
    url: `${publicUrl}/example?token=9Zq3Xw7cT1bV5nM2kL8s`,
    expiresAt: AT + 15 * 60_000,
  }
  const trace = { at: AT, address: '203.0.113.7', device: 'Firefox on Linux' }
  return {
    sign_up: proof,
    account_exists: proof,
    verify_address: { ...proof, username: 'alice' },
    change_address: { ...proof, username: 'alice' },
    address_changed: { newAddress: 'alice@example.net', at: AT },
    reset_password: { ...proof, username: 'alice' },
    password_changed: trace,
    login_code: proof,
    new_device: trace,
    invitation: {
      ...proof,
      expiresAt: AT + 7 * 86_400_000,
      tenant: 'Example Ltd',
      inviter: 'bob',
    },
    account_deleted: { username: 'alice', at: AT },
    factor_changed: { ...trace, change: 'passkey_added' },
    factor_code: { code: proof.code, expiresAt: proof.expiresAt },
  }
}

/** Renders all mails. Throws a `SetupError` that names each mistake in the templates. */
export async function renderSamples(
  publicUrl: string,
  templateFolder: string | undefined,
): Promise<{
  /** How many files come from templates. */
  readonly count: number
  readonly files: readonly SampleFile[]
}> {
  const templates = templateFolder === undefined ? undefined : loadTemplates(templateFolder)
  const render = createRenderer({ publicUrl, templates })
  const values = sampleValues(publicUrl)
  const files: SampleFile[] = []
  for (const kind of MAIL_KINDS) {
    for (const locale of MAIL_LOCALES) {
      const head = { locale, createdAt: AT, recipient: 'alice@example.com' }
      const rendered = await render(kind, values[kind], head)
      files.push(...toFiles(`${kind}.${locale}`, rendered))
    }
  }
  return { count: templates?.count ?? 0, files }
}

function toFiles(name: string, { subject, text, html }: RenderedMail): readonly SampleFile[] {
  return [
    { name: `${name}.subject`, content: `${subject}\n` },
    { name: `${name}.txt`, content: text },
    { name: `${name}.html`, content: html },
  ]
}
