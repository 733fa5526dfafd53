import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'

import { systemClock } from '../src/base/clock.ts'
import { openStore } from '../src/store/open.ts'
import type { NewMail } from '../src/store/rows.ts'
import { runCommand, type CommandResult } from './support/command-line.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-cli-mail-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(words: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return runCommand(words, { dataDir: folder, env })
}

function mail(id: string): NewMail {
  const now = systemClock.nowMs()
  return {
    id,
    kind: 'reset_password',
    recipient: `${id}@example.com`,
    locale: 'en',
    sealed: new Uint8Array([1]),
    accountId: undefined,
    createdAt: now,
    notAfter: now + 900_000,
  }
}

test('mail list shows mails by their state, without decoys', async () => {
  const store = await openStore({ dataDir: folder }, { exclusive: false, clock: systemClock })
  expect(await run(['mail', 'list'])).toMatchObject({ stdout: 'There are no mails.\n', code: 0 })
  await store.mail.add([mail('one'), mail('two'), { ...mail('decoy'), recipient: undefined }])
  const now = systemClock.nowMs()
  await store.mail.claim(now, 60_000, 1)
  await store.mail.noteFailed('one', { kind: 'final', attempt: 1, reason: 'smtp_550_5.1.1' }, now)
  await store.close()

  const failed = await run(['mail', 'list', '--state', 'failed', '--json'])
  expect(
    failed.stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
  ).toMatchObject([
    { id: 'one', to: 'one@example.com', state: 'failed', attempts: 1, reason: 'smtp_550_5.1.1' },
  ])
  const all = await run(['mail', 'list'])
  expect(all.stdout).toMatch(/two@example\.com +waiting[^]*one@example\.com +failed/)
  expect(all.stdout).not.toContain('decoy')
  const sent = await run(['mail', 'list', '--state', 'sent'])
  expect(sent.stdout).toBe('There are no sent mails.\n')
  expect(await run(['mail', 'list', '--state', 'lost'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--state takes waiting, sent or failed.') as unknown,
  })
})

test('mail preview writes all mails, and its folder can be used as templates', async () => {
  const out = join(folder, 'preview')
  const first = await run(['mail', 'preview', '--out', out])
  expect(first).toMatchObject({ code: 0, stdout: `78 files written to ${out}.\n` })
  expect(readdirSync(out)).toHaveLength(78)
  expect(readFileSync(join(out, 'login_code.de.txt'), 'utf8')).toContain('WDJB-MJHT')

  const templates = join(folder, 'templates')
  mkdirSync(templates)
  writeFileSync(join(templates, 'login_code.de.txt'), 'Hier: {{url}} {{code}}')
  const env = { COUNTERSIGN_MAIL_TEMPLATES: templates }
  const second = await run(['mail', 'preview', '--out', out], env)
  expect(second.stdout).toContain(`1 come from the templates in ${templates}.`)
  expect(readFileSync(join(out, 'login_code.de.txt'), 'utf8')).toMatch(/^Hier: http/)

  writeFileSync(join(templates, 'login_code.de.html'), '{{url}} {{code}} {{name}}')
  const third = await run(['mail', 'preview', '--out', out], env)
  expect(third).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'login_code.de.html: has the unknown placeholder {{name}}.',
    ) as unknown,
  })
})

test('a restore revives no invitation and no mail of the backup, so nothing works or is sent twice', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-cli-mail-'))
  const command = (...words: string[]): Promise<CommandResult> => runCommand(words, { dataDir })
  try {
    const store = await openStore({ dataDir }, { exclusive: true, clock: systemClock })
    await store.mail.add([mail('one')])
    const at = systemClock.nowMs()
    const by = { at, actor: 'cli:test' }
    const acme = {
      id: 'ten_1',
      name: 'acme',
      disabledAt: undefined,
      hardPosition: 0,
      createdAt: at,
    }
    await store.tenants.create(acme, by)
    const invited = {
      id: 'invitation-1',
      tenantId: 'ten_1',
      email: { address: 'two@example.com', key: 'two@example.com' },
      roles: [],
      inviterId: undefined,
      linkHash: new Uint8Array(32),
      codeHash: new Uint8Array(32),
      createdAt: at,
      expiresAt: at + 86_400_000,
    }
    expect(await store.invitations.create(invited, undefined, by)).toBe('created')
    await store.close()
    const backup = join(dataDir, 'backup.db')
    expect(await command('backup', backup)).toMatchObject({ code: 0 })
    expect(await command('restore', backup)).toMatchObject({ code: 0 })
    const { stdout } = await command('mail', 'list')
    expect(stdout).toMatch(/one@example\.com +failed +0 +database_restored/)
    const invitations = await command('tenants', 'invitations', 'list', 'acme')
    expect(invitations).toMatchObject({ code: 0 })
    expect(invitations.stdout).not.toContain('two@example.com')
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
