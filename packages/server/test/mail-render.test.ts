import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { createSystemRandom } from '../src/base/random.ts'
import { createSealer } from '../src/keys/sealing.ts'
import { createMailer, createMailSealer, openValues } from '../src/mail/compose.ts'
import { MAIL_KINDS, MAIL_LOCALES, SHOWN } from '../src/mail/kinds.ts'
import { createRenderer, type RenderedMail } from '../src/mail/render.ts'
import { safeName } from '../src/mail/safe-text.ts'
import { renderSamples, sampleValues } from '../src/mail/samples.ts'
import { loadTemplates } from '../src/mail/templates.ts'
import { NOW } from './support/session-rows.ts'
import { SECRET } from './support/tokens.ts'

const SITE = 'https://auth.example.com'
const HEAD = { locale: 'en', createdAt: NOW, recipient: 'alice@example.com' } as const

/** A folder with these templates, and a function that removes it. */
function folderWith(files: Readonly<Record<string, string>>): string & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-templates-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return Object.assign(folder, {
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  })
}

test('every kind in every language has a subject, both bodies, and its link and code in both', async () => {
  const render = createRenderer({ publicUrl: SITE, templates: undefined })
  const values = sampleValues(SITE)
  const subjects = new Set<string>()
  for (const kind of MAIL_KINDS) {
    for (const locale of MAIL_LOCALES) {
      const mail = await render(kind, values[kind], { ...HEAD, locale })
      subjects.add(mail.subject)
      expect(mail.html).toContain(`<html lang="${locale}">`)
      for (const body of [mail.text, mail.html]) {
        expect(body).toContain('auth.example.com')
        expect(body).not.toMatch(/undefined|\[object|NaN|Invalid/)
        expect(body.includes('WDJB-MJHT')).toBe('code' in values[kind])
        expect(body.includes(`${SITE}/example?token=`)).toBe('url' in values[kind])
      }
      expect(mail.subject).not.toMatch(/WDJB|token=/)
    }
  }
  expect(subjects.size).toBe(MAIL_KINDS.length * MAIL_LOCALES.length)
})

test('a notice of a changed address masks the new address', async () => {
  const render = createRenderer({ publicUrl: SITE, templates: undefined })
  const { text } = await render(
    'address_changed',
    { newAddress: 'mallory@evil.example', at: NOW },
    HEAD,
  )
  expect(text).toContain('m•••@')
  expect(text).not.toContain('mallory')
})

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc
    .array(
      fc.constantFrom(
        '<b>',
        '"',
        "'",
        '&',
        '\r\n',
        '\nBcc: x@y.z',
        '{{url}}',
        '{{',
        '}}',
        '”',
        'www.',
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join('a')),
  fc.constantFrom('https://evil.example/x', 'evil.example', 'x@evil.example', '$&', '$1'),
)

describe.each(['built-in mails', 'templates'])('%s', (which) => {
  test('a name can be neither markup nor header nor link nor placeholder', async () => {
    using folder = folderWith({
      'invitation.en.subject': 'Join {{tenant}} with {{ inviter }}',
      'invitation.en.txt': 'From {{inviter}} to {{tenant}}: {{url}} {{code}}',
      'invitation.en.html': '<p title="{{tenant}}">{{inviter}}</p><a href="{{url}}">{{code}}</a>',
    })
    const templates = which === 'templates' ? loadTemplates(folder.toString()) : undefined
    const render = createRenderer({ publicUrl: SITE, templates })
    const write = (tenant: string, inviter: string): Promise<RenderedMail> =>
      render('invitation', { ...sampleValues(SITE).invitation, tenant, inviter }, HEAD)
    const tagsOf = (html: string): readonly string[] => html.match(/<[^>]*>/g) ?? []
    const plain = await write('TENANT', 'INVITER')
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (tenant, inviter) => {
        const mail = await write(tenant, inviter || 'x')
        // The same tags, apart from the name in attributes.
        expect(tagsOf(mail.html).map(nameOf)).toEqual(tagsOf(plain.html).map(nameOf))
        expect(mail.subject).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
        expect(mail.text.replaceAll(`${SITE}/example`, '')).not.toMatch(
          /https?:\/\/|evil\.example|@evil|www\./i,
        )
        expect(mail.text.split('\n').length).toBe(plain.text.split('\n').length)
        expect(mail.text.split(`${SITE}/example?token=`)).toHaveLength(2)
      }),
      { numRuns: 200 },
    )
  })
})

function nameOf(tag: string): string {
  return tag.split(/[\s>]/, 1)[0] ?? ''
}

test.each([
  ['visit evil.example now', 'visit evil.\u{200b}example now'],
  ['http://x.yz', 'http:\u{200b}/\u{200b}/\u{200b}x.\u{200b}yz'],
  ['a@b', 'a@\u{200b}b'],
  ['“quoted” <b>', "'quoted' 'b'"],
  ['two\r\nlines\u{202e}', 'two lines'],
  ['x'.repeat(61), `${'x'.repeat(59)}…`],
  ['Dr. No', 'Dr. No'],
])('the name %j becomes %j', (name, safe) => {
  expect(safeName(name)).toBe(safe)
})

test('a username that is the address of the recipient stays as it is', async () => {
  const render = createRenderer({ publicUrl: SITE, templates: undefined })
  const values = { ...sampleValues(SITE).reset_password, username: 'Alice@example.com' }
  expect((await render('reset_password', values, HEAD)).text).toContain('“Alice@example.com”')
  const other = { ...HEAD, recipient: 'bob@example.com' }
  expect((await render('reset_password', values, other)).text).not.toContain('Alice@example.com')
})

test('templates replace single parts, and a preview is a folder of valid templates', async () => {
  using folder = folderWith({
    'login_code.de.subject': 'Code für {{site}}\n',
    'login_code.de.html': '<a href="{{ url }}">{{code}}</a> {{lifetime}}',
    'README.md': 'ignored {{x}}',
  })
  const { count, files } = await renderSamples(SITE, folder.toString())
  const contentOf = (name: string): string | undefined =>
    files.find((file) => file.name === name)?.content
  expect(count).toBe(2)
  expect(contentOf('login_code.de.subject')).toBe('Code für auth.example.com\n')
  expect(contentOf('login_code.de.html')).toContain('WDJB-MJHT</a> 15 Minuten')
  expect(contentOf('login_code.de.txt')).toContain('Anmelden')
  expect(files).toHaveLength(MAIL_KINDS.length * MAIL_LOCALES.length * 3)
  expect(new Set(files.map(({ name }) => name)).size).toBe(files.length)
})

test.each([
  ['login_code.en.txt', '{{code}} {{url}} {{usrname}}', 'unknown placeholder {{usrname}}'],
  ['login_code.en.txt', '{{code}} {{url}} {{username}}', 'unknown placeholder {{username}}'],
  ['login_code.en.txt', '{{code}} {{url}} {{', 'belongs to no placeholder'],
  ['login_code.en.html', '{{code}} {{url}} {{#if x}}', 'belongs to no placeholder'],
  ['login_code.en.html', '<a href="{{url}}">', 'lacks {{code}}'],
  ['login_code.en.txt', '{{code}}', 'lacks {{url}}'],
  ['login_code.en.subject', 'two\nlines', 'one line'],
  ['login_code.en.subject', '', 'one line'],
  ['login_code.en.subject', 'Your code: {{code}}', 'locked screens'],
  ['login_code.fr.txt', '{{code}} {{url}}', 'no known language'],
  ['login.en.txt', 'x', 'The kinds are sign_up'],
])('the template %s with %j is refused', (name, text, problem) => {
  using folder = folderWith({ [name]: text })
  expect(() => loadTemplates(folder.toString())).toThrow(problem)
  expect(() => loadTemplates(folder.toString())).toThrow(name)
})

test('a folder that does not exist is refused', () => {
  expect(() => loadTemplates('/nowhere/templates')).toThrow('COUNTERSIGN_MAIL_TEMPLATES')
})

describe('the values of a mail in the outbox', () => {
  const random = createSystemRandom()
  const sealer = createMailSealer(createSealer([SECRET], random), random)
  const mailer = createMailer({ sealer, random, locale: 'de' })
  const values = sampleValues(SITE)

  test('are sealed, bound to their mail, and of one length for every kind and a decoy', () => {
    const lengths = new Set<number>()
    for (const kind of MAIL_KINDS) {
      const to = kind === 'sign_up' ? undefined : 'a@example.com'
      const mail = mailer.compose(kind, { to, accountId: undefined, values: values[kind] }, NOW)
      lengths.add(mail.sealed.length)
      expect(Buffer.from(mail.sealed).includes('WDJB')).toBe(false)
      expect(openValues(sealer, mail)).toEqual(values[kind])
      expect(openValues(sealer, { ...mail, id: 'mail_other' })).toBeUndefined()
      expect(mail.locale).toBe('de')
    }
    expect(lengths.size).toBe(1)
  })

  test('open with an older secret and not without it', () => {
    const mail = mailer.compose(
      'login_code',
      { to: 'a@b.c', accountId: undefined, values: values.login_code },
      NOW,
    )
    const other = 'another secret with more than 32 chars'
    const rotated = createMailSealer(createSealer([other, SECRET], random), random)
    expect(openValues(rotated, mail)).toEqual(values.login_code)
    const lost = createMailSealer(createSealer([other], random), random)
    expect(openValues(lost, mail)).toBeUndefined()
  })

  test('a mail is worth sending until its code expires, and at most for a day', () => {
    const to = { to: 'a@b.c', accountId: undefined }
    const { notAfter } = mailer.compose('login_code', { ...to, values: values.login_code }, NOW)
    expect(notAfter).toBe(values.login_code.expiresAt)
    const invitation = mailer.compose('invitation', { ...to, values: values.invitation }, NOW)
    expect(invitation.notAfter).toBe(NOW + 86_400_000)
    const notice = mailer.compose('new_device', { ...to, values: values.new_device }, NOW)
    expect(notice.notAfter).toBe(NOW + 86_400_000)
  })

  test.each(['javascript:alert(1)', 'https://a.example/"><b>', 'ftp://a', ''])(
    'the link %j is a bug of the caller',
    (url) => {
      const bad = { to: 'a@b.c', accountId: undefined, values: { ...values.login_code, url } }
      expect(() => mailer.compose('login_code', bad, NOW)).toThrow(TypeError)
    },
  )
})

test('every kind shows the site', () => {
  for (const kind of MAIL_KINDS) expect(SHOWN[kind]).toContain('site')
})
