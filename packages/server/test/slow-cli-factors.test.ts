import { afterAll, beforeAll, expect, test } from 'vitest'

import { runCommand, type CommandResult } from './support/command-line.ts'
import { totpAt } from './support/factors.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Runs a command beside the server. */
function run(...words: string[]): Promise<CommandResult> {
  const env = { PORT: new URL(server.url).port }
  return runCommand(words, { dataDir: server.dataDir, env })
}

/** Sends a request to the running server. */
async function post(path: string, body: unknown, access = ''): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${access}` },
    body: JSON.stringify(body),
  })
  return (await response.json()) as Record<string, unknown>
}

/** Logs the administrator in and enrols an authenticator app. */
async function enrol(): Promise<void> {
  const { access } = await post('/api/token/', ADMIN)
  const begun = await post('/auth/factors/totp/challenge', {}, String(access))
  const code = totpAt(String(begun['secret']), Date.now())
  const { challenge } = begun
  const body = { challenge, code, name: 'Phone \u001b[31m' }
  expect(await post('/auth/factors/totp', body, String(access))).toMatchObject({
    recovery_codes: expect.any(Array),
  })
}

test('a person who lost the phone logs in with the password after a reset', async () => {
  expect(await run('accounts', 'factors', 'list', 'admin')).toEqual({
    code: 0,
    stdout: 'Account admin has no second factors.\n',
    stderr: '',
  })
  await enrol()
  expect(await post('/api/token/', ADMIN)).toMatchObject({ code: 'second_factor_required' })
  await run('accounts', 'set-email', 'admin', 'admin@example.com', '--verified')

  const { code, stdout } = await run('accounts', 'factors', 'list', 'ADMIN')
  expect(code).toBe(0)
  const [heading, app, codes] = stdout.split('\n')
  expect(heading).toMatch(/^KIND +NAME +ID +CREATED +LAST USED +LEFT +EXPIRES$/)
  // A name that the person chose cannot control the terminal.
  expect(app).toMatch(/^totp +Phone +\[31m +fac_\S{22} +\S+ \S+Z +never$/)
  expect(stdout).not.toContain('\u001b')
  expect(codes).toMatch(/^recovery-codes +10$/)
  const json = await run('accounts', 'factors', 'list', 'admin', '--json')
  expect(
    json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { kind: 'totp', last_used: null },
    { kind: 'recovery-codes', left: 10 },
  ])

  // Standard input is no terminal here.
  const asked = await run('accounts', 'factors', 'reset', 'admin')
  expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('Add --yes') })
  expect(await post('/api/token/', ADMIN)).toMatchObject({ code: 'second_factor_required' })

  expect(await run('accounts', 'factors', 'reset', 'admin', '--only', 'passkeys', '--yes')).toEqual(
    {
      code: 0,
      stdout: 'Account admin: there was nothing to remove, and no factor was locked.\n',
      stderr: '',
    },
  )
  expect(await run('accounts', 'factors', 'reset', 'admin', '--yes')).toEqual({
    code: 0,
    stdout: 'Account admin: removed all second factors, and its sessions have ended.\n',
    stderr: '',
  })
  const mails = await run('mail', 'list', '--json')
  expect(mails.stdout).toContain('"kind":"factor_changed"')
  const again = await post('/api/token/', ADMIN)
  expect(again).toMatchObject({ access: expect.any(String) })
  const audit = await run('audit', 'list', '--account', 'admin', '--json')
  expect(audit.stdout).toMatch(
    /"event":"factors_reset","outcome":"ok","detail":"all","actor":"cli:/,
  )
})

test('a wrong name or kind is explained', async () => {
  for (const word of ['list', 'reset']) {
    expect(await run('accounts', 'factors', word, 'nobody')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no account "nobody".'),
    })
  }
  expect(await run('accounts', 'factors', 'reset', 'admin', '--only', 'passkey')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean passkeys?'),
  })
  expect(await run('accounts', 'factors', 'rest', 'admin')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean "accounts factors reset"?'),
  })
  const help = await run('accounts', 'factors')
  expect(help.stdout).toContain('countersign accounts factors reset NAME ')
  expect(help.stdout).not.toContain('accounts create')
  const explained = await run('accounts', 'factors', 'reset', '--help')
  expect(explained.stdout.replaceAll(/\s+/g, ' ')).toContain(
    'All sessions of the account end, its remembered devices are forgotten',
  )
})
