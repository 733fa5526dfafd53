import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAccountManager } from '../src/accounts/manage.ts'
import { createNewPasswords } from '../src/accounts/new-passwords.ts'
import { createPasswordHasher } from '../src/accounts/passwords.ts'
import { systemClock } from '../src/base/clock.ts'
import { createSystemRandom } from '../src/base/random.ts'
import { openStore } from '../src/store/open.ts'
import type { Pair } from './support/authority.ts'
import { launcher, runCommand, runProgram, type CommandResult } from './support/command-line.ts'
import { execute, query } from './support/database.ts'
import { claimsOf, openForge, type Forge } from './support/forge.ts'
import { HttpClient } from './support/http-client.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'

const PASSWORD = 'a password for bob'
const BOB = { username: 'bob', password: PASSWORD }

const random = createSystemRandom()
const hasher = createPasswordHasher({
  parameters: { memoryKib: 8_192, passes: 1, lanes: 1 },
  concurrency: 1,
  waitMsMax: Infinity,
  elapsed: () => performance.now(),
  random,
  decoySecret: random.bytes(32),
})

let server: ServerProcess
let http: HttpClient
beforeAll(async () => {
  server = await startServerProcess()
  http = new HttpClient(server.url)
  expect(await run(['accounts', 'create', 'bob'], `${PASSWORD}\n`)).toMatchObject({ code: 0 })
})
afterAll(async () => {
  http.close()
  await server[Symbol.asyncDispose]()
})

/** Creates an account for one test. */
async function newAccount(): Promise<{ username: string; password: string }> {
  const store = await openStore(server, { exclusive: false, clock: systemClock })
  const accounts = createAccountManager({
    store,
    newPasswords: createNewPasswords({ hasher, publicUrl: server.url, breached: undefined }),
    clock: systemClock,
    random,
  })
  const username = `user-${random.bytes(6).toString('hex')}`
  const created = await accounts.create({ username, password: PASSWORD }, 'test')
  await store.close()
  if (!created.ok) throw new Error(created.text)
  return { username, password: PASSWORD }
}

/** Runs a command beside the server. */
function run(words: readonly string[], input = ''): Promise<CommandResult> {
  const env = { PORT: new URL(server.url).port }
  return runCommand(words, { dataDir: server.dataDir, env, input })
}

/** Runs a command that must succeed. Returns its output. */
async function output(words: readonly string[], input = ''): Promise<string> {
  const result = await run(words, input)
  expect(result).toMatchObject({ code: 0, stderr: '' })
  return result.stdout
}

async function rows(words: readonly string[]): Promise<Record<string, unknown>[]> {
  const lines = (await output([...words, '--json'])).trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

async function refreshStatus(token: string): Promise<number> {
  return (await http.post('/api/token/refresh/', { refresh: token })).status
}

describe.concurrent('help', () => {
  test.each([[[]], [['help']], [['--help']], [['-h']], [['accounts', 'create', '--help']]])(
    '%j prints it',
    async (words) => {
      const text = await output(words)
      expect(text).toMatch(/^Countersign \d+\.\d+\.\d+: /)
      expect(text).toContain('countersign accounts create NAME')
    },
  )

  test('of a command explains its arguments and flags', async () => {
    const text = await output(['keys', 'import', '--help'])
    expect(text).toContain(
      'Usage: countersign keys import FILE [--alg ALG] [--certificate FILE] [--activate-now]\n',
    )
    expect(text).toMatch(/^ {2}FILE +The private key in PEM/m)
    expect(text).toMatch(/^ {2}--alg ALG +The algorithm: ES256/m)
    expect(text).toContain('Example: countersign keys import ')
  })

  test('of start lists every setting with its values and default', async () => {
    const text = await output(['start', '--help'])
    expect(text).toMatch(/^ {2}COUNTERSIGN_ACCESS_LIFETIME +1s to 24h \(default: 5m\)$/m)
    expect(text).toMatch(/^ {2}COUNTERSIGN_SIGNING_ALG +ES256, Ed25519, /m)
  })

  test('of a group shows only the group', async () => {
    const text = await output(['sessions', '--help'])
    expect(text).toContain('countersign sessions end [ID]')
    expect(text).not.toContain('countersign accounts')
  })

  test('of a group of two words shows only that group', async () => {
    const text = await output(['tenants', 'members'])
    expect(text).toContain('countersign tenants members list TENANT')
    expect(text).not.toContain('countersign tenants create')
  })

  test.each(['--version', 'version'])('%s prints the version', async (word) => {
    expect(await output([word])).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

test('commands manage tenants, their members and roles', async () => {
  const { username, password } = await newAccount()
  expect(await output(['tenants', 'create', 'acme'])).toMatch(
    /^Tenant acme created \(ten_[\w-]{22}\)\.\n$/,
  )
  const member = ['tenants', 'members', 'set', 'acme', username, '--role', 'editor']
  expect(await output(member)).toBe(`Account ${username} in acme: is a member with these roles.\n`)
  expect(await output(member)).toBe(
    `Account ${username} in acme: was already a member with these roles.\n`,
  )
  const { access } = await http.login({ username, password })
  expect(await rows(['tenants', 'members', 'list', 'acme'])).toEqual([
    {
      username,
      id: claimsOf(access)['sub'],
      state: 'active',
      roles: ['editor'],
      default: 'yes',
      since: expect.stringMatching(/Z$/),
    },
  ])
  expect((await run(['tenants', 'members', 'list', 'none'])).stderr).toBe(
    'There is no tenant "none".\n',
  )
  const [tenant] = await rows(['tenants', 'list'])
  expect(claimsOf(access)).toMatchObject({
    roles: [],
    tid: tenant?.['id'],
    tenant_name: 'acme',
    tenant_roles: ['editor'],
  })

  expect(await output(['roles', 'define', 'editor', 'notes.write', 'notes.read'])).toBe(
    'Role editor: defined.\n',
  )
  expect(await rows(['roles', 'list'])).toEqual([
    { name: 'editor', permissions: ['notes.read', 'notes.write'] },
  ])

  expect(await output(['tenants', 'disable', 'acme'])).toContain(
    'disabled, and its sessions have ended',
  )
  expect(await output(['tenants', 'members', 'list', 'acme'])).toContain(username)
  expect(await output(['tenants', 'enable', 'acme'])).toContain('enabled')
  expect(await output(['tenants', 'members', 'remove', 'acme', username])).toContain(
    'is no longer a member',
  )
  expect(await output(['tenants', 'members', 'list', 'acme'])).toBe('This tenant has no members.\n')
  expect(await run(['tenants', 'members', 'default', 'acme', username])).toMatchObject({
    code: 1,
    stderr: `The account "${username}" is not a member of "acme".\n`,
  })
  expect(await run(['tenants', 'create', 'Acme!'])).toMatchObject({ code: 1 })
})

describe('a key that cannot be imported is rejected with the reason', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-keys-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const pem = { type: 'pkcs8', format: 'pem' } as const
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const good = file('good.pem', p256.privateKey.export(pem))
  const sealed = { ...pem, cipher: 'aes-256-cbc', passphrase: 'a passphrase' }
  const cases: [string, readonly string[], string][] = [
    ['not there', [join(folder, 'none.pem')], 'The file cannot be read: ENOENT'],
    ['no key', [file('text.pem', 'text')], 'holds no private key in PEM'],
    [
      'a public one',
      [file('public.pem', p256.publicKey.export({ type: 'spki', format: 'pem' }))],
      'holds no private key in PEM',
    ],
    ['sealed', [file('sealed.pem', p256.privateKey.export(sealed))], 'has a passphrase'],
    [
      'too short',
      [
        file(
          'short.pem',
          generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(pem),
        ),
      ],
      'An RSA key needs 2048',
    ],
    [
      'of another curve',
      [
        file(
          'k1.pem',
          generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export(pem),
        ),
      ],
      'cannot sign tokens here',
    ],
    ['for another algorithm', [good, '--alg', 'RS256'], 'cannot be used for RS256'],
    ['without its certificate', [good, '--certificate', good], 'holds no certificate'],
    [
      'with a broken one',
      [
        good,
        '--certificate',
        file('c.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      ],
      'Certificate 1 of',
    ],
  ]
  test.each(cases)('%s', async (_, words, why) => {
    const { code, stderr, stdout } = await run(['keys', 'import', ...words])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(why)
    expect(stderr).not.toContain('PRIVATE KEY-----\nM')
  })
})

test('commands manage service accounts and their secrets', async () => {
  const created = await output(['clients', 'create', 'billing', '--role', 'reader'])
  const [, id = '', secret = '', secretId = ''] =
    /^Service account billing created\.\nClient id: {5}(svc_[\w-]{22})\nClient secret: ([\w-]{43})\nStore it now: the server keeps only its hash\. Lists show it as (sec_[\w-]{22})\.\n$/.exec(
      created,
    ) ?? []
  const tokenFor = async (own: string): Promise<Response> =>
    fetch(`${server.url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: id,
        client_secret: own,
      }),
    })
  const first = await tokenFor(secret)
  expect(first.status).toBe(200)
  const { access_token: token } = (await first.json()) as { access_token: string }
  expect(claimsOf(token)).toMatchObject({ sub: id, roles: ['reader'] })
  expect(await output(['token', 'inspect', token])).toContain(
    'the service account billing is active',
  )

  const added = await output(['clients', 'secrets', 'add', 'billing'])
  const [, second = ''] =
    /^Client secret: ([\w-]{43})\nStore it now: the server keeps only its hash\. Lists show it as sec_[\w-]{22}\.\n$/.exec(
      added,
    ) ?? []
  expect(await run(['clients', 'secrets', 'add', 'billing'])).toMatchObject({ code: 1, stdout: '' })
  const listed = await rows(['clients', 'secrets', 'list', 'billing'])
  expect(listed.map(({ last_used: lastUsed }) => lastUsed)).toEqual([
    expect.stringMatching(/Z$/),
    null,
  ])
  expect(await output(['clients', 'secrets', 'remove', 'billing', secretId])).toBe(
    'Service account billing: secret removed.\n',
  )
  expect((await tokenFor(secret)).status).toBe(401)
  expect((await tokenFor(second)).status).toBe(200)

  expect(await output(['clients', 'roles', 'set', 'billing', 'writer'])).toBe(
    'Service account billing: has these roles.\n',
  )
  expect(await output(['clients', 'disable', 'billing'])).toContain('disabled, it gets no more')
  expect((await tokenFor(second)).status).toBe(401)
  expect(await run(['token', 'inspect', token])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('the service account billing is disabled'),
  })
  expect(await rows(['clients', 'list'])).toMatchObject([
    { name: 'billing', id, state: 'disabled', roles: ['writer'], secrets: 1 },
  ])
  expect(await output(['clients', 'enable', 'billing'])).toContain('enabled')
  expect((await run(['token', 'inspect', token])).stdout).toContain('was revoked')
  expect((await tokenFor(second)).status).toBe(200)
  expect(await run(['clients', 'disable', 'nobody'])).toEqual({
    code: 1,
    stdout: '',
    stderr: 'There is no service account "nobody".\n',
  })
})

describe.concurrent('a command line that is not understood', () => {
  test.each([
    [['fly'], 'There is no command "fly".', '--help'],
    [['accounts', 'destroy', 'bob'], 'There is no command "accounts destroy".', 'accounts --help'],
    [
      ['acounts', 'list'],
      'There is no command "acounts list". Did you mean "accounts list"?',
      '--help',
    ],
    [['account'], 'There is no command "account". Did you mean "accounts"?', '--help'],
    [
      ['tenants', 'member', 'lsit', 'acme'],
      'There is no command "tenants member". Did you mean "tenants members list"?',
      'tenants --help',
    ],
    [['strat'], 'There is no command "strat". Did you mean "start"?', '--help'],
    [['--json', 'accounts', 'list'], 'A command comes before its flags.', '--help'],
  ])('%j names no command', async (words, message, help) => {
    expect(await run(words)).toEqual({
      code: 2,
      stdout: '',
      stderr: `${message}\nSee: countersign ${help}\n`,
    })
  })

  test.each([
    [
      ['accounts', 'create'],
      2,
      'The argument NAME is missing.',
      '[--role ROLE]... [--email ADDRESS] [--verified]',
    ],
    [['accounts', 'disable'], 2, 'The argument NAME is missing.', ''],
    [['accounts', 'list', 'bob'], 2, 'This command takes no arguments.', '[--json]'],
    [
      ['accounts', 'list', '--jsn'],
      2,
      'There is no flag --jsn here. Did you mean --json?',
      '[--json]',
    ],
    [['accounts', 'list', '--wat'], 2, 'There is no flag --wat here.', '[--json]'],
    [['accounts', 'list', '--json=yes'], 2, '--json takes no value.', '[--json]'],
    [
      ['audit', 'list', '--account', '--json'],
      2,
      '--account needs a value: --account NAME|ID. If the value begins with a dash, write --account=VALUE.',
      '[--account NAME|ID] [--limit N] [--json]',
    ],
    [['accounts', 'roles', 'add', 'bob'], 3, 'The argument ROLE is missing.', ''],
    [
      ['accounts', 'roles', 'add', 'bob', 'a', 'b'],
      3,
      'This command takes at most 2 arguments.',
      '',
    ],
    [['start', 'now'], 1, 'This command takes no arguments.', '[--port PORT] [--workers N]'],
    [
      ['start', '--prot', '1'],
      1,
      'There is no flag --prot here. Did you mean --port?',
      '[--port PORT] [--workers N]',
    ],
  ])('%j names its mistake', async (words, count, message, flags) => {
    const { code, stdout, stderr } = await run(words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    const [first, usage = '', help] = stderr.split('\n')
    expect(first).toBe(message)
    expect(usage).toContain(`Usage: countersign ${words.slice(0, count).join(' ')}`)
    expect(usage.endsWith(flags)).toBe(true)
    expect(help).toBe(`See: countersign ${words.slice(0, count).join(' ')} --help`)
  })

  test.each([
    [['sessions', 'list', '--limit', '0'], '--limit takes a whole number from 1 to 10000.'],
    [['audit', 'list', '--limit', 'all'], '--limit takes a whole number from 1 to 10000.'],
    [['start', '--port', '70000'], '--port must be a whole number from 1 to 65535.'],
    [['sessions', 'list', '--data-dir='], '--data-dir must not be empty.'],
    [['sessions', 'end'], 'Give the id of one session, or --account NAME.'],
    [
      ['sessions', 'end', 'x', '--account', 'bob'],
      'Give the id of one session, or --account NAME.',
    ],
  ])('%j names the wrong value', async (words, message) => {
    const result = await run(words)
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect(result.stderr.split('\n')[0]).toBe(message)
  })

  test.each([
    [['accounts', 'create', 'eve', 'Hunter2-Hunter2']],
    [['accounts', 'create', 'eve', '--password', 'Hunter2-Hunter2']],
    [['accounts', 'create', 'eve', '--password=Hunter2-Hunter2']],
    [['accounts', 'set-password', 'bob', 'Hunter2-Hunter2']],
    [['set-password', 'Hunter2-Hunter2']],
    [['accounts', 'create', 'eve', '--Hunter2-Hunter2']],
    [['accounts', 'create', 'eve', '-Hunter2-Hunter2']],
  ])('a password is no argument and is not repeated: %j', async (words) => {
    const result = await run(words)
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect(result.stderr).not.toContain('Hunter2')
    expect(query(server.dataDir, `SELECT 1 FROM accounts WHERE username = 'eve'`)).toEqual([])
  })
})

describe.concurrent('without a database', () => {
  const words = [
    ['accounts', 'list'],
    ['accounts', 'create', 'bob'],
    ['accounts', 'disable', 'bob'],
    ['tenants', 'create', 'acme'],
    ['roles', 'define', 'editor'],
    ['clients', 'create', 'billing'],
    ['sessions', 'list'],
    ['sessions', 'end', 'x'],
    ['keys', 'list'],
    ['audit', 'list'],
    ['backup', 'copy.db'],
  ]
  test.each(words.map((each) => [each]))(
    '%j reports that and creates no database',
    async (each) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'countersign-empty-'))
      expect(await runCommand(each, { dataDir, input: PASSWORD })).toEqual({
        code: 1,
        stdout: '',
        stderr: `There is no database at ${dataDir}/countersign.db. Start the server first, or name the directory of its database with --data-dir or COUNTERSIGN_DATA_DIR.\n`,
      })
      expect(readdirSync(dataDir)).toEqual([])
      rmSync(dataDir, { recursive: true })
    },
  )

  test('an empty file is no database, and stays empty', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-empty-'))
    writeFileSync(join(dataDir, 'countersign.db'), '')
    expect((await runCommand(['accounts', 'list'], { dataDir })).stderr).toContain(
      'There is no database',
    )
    expect(statSync(join(dataDir, 'countersign.db')).size).toBe(0)
    rmSync(dataDir, { recursive: true })
  })

  test('--data-dir names the directory, and takes precedence over the environment', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-empty-'))
    const listed = await runCommand(['accounts', 'list', '--data-dir', server.dataDir], { dataDir })
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('admin') })
    rmSync(dataDir, { recursive: true })
  })

  test('token inspect creates neither keys nor a secret', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-empty-'))
    await (await openStore({ dataDir }, { exclusive: false, clock: systemClock })).close()
    const { access } = await http.login(ADMIN)
    const early = await runCommand(['token', 'inspect', access], { dataDir })
    expect(early).toMatchObject({ code: 1 })
    expect(early.stderr).toBe('There are no signing keys yet. Start the server first.\n')
    expect(query(dataDir, 'SELECT * FROM keys')).toEqual([])

    await (await startServerProcess({ dataDir })).stop()
    rmSync(join(dataDir, 'secret'))
    const later = await runCommand(['token', 'inspect', access], { dataDir })
    expect(later).toMatchObject({ code: 1 })
    expect(later.stderr).toMatch(/^The secret .* cannot be read: [^\n]+\n$/)
    expect(existsSync(join(dataDir, 'secret'))).toBe(false)
    rmSync(dataDir, { recursive: true })
  })
})

/** 27 roles of 64 characters: 1,810 bytes of JSON. */
const MANY_ROLES = Array.from({ length: 27 }, (_, n) => ['--role', `r${n}`.padEnd(64, 'x')]).flat()

describe('accounts', () => {
  test('create reads the password from the first line of standard input', async () => {
    const text = await output(
      ['accounts', 'create', 'carol', '--role', 'b', '--role', 'a'],
      'a long passphrase\r\nmore\n',
    )
    expect(text).toMatch(/^Account carol created \(acct_[\w-]{22}\)\.\n$/)
    const { access } = await http.login({ username: 'carol', password: 'a long passphrase' })
    expect(claimsOf(access)['roles']).toEqual(['a', 'b'])
  })

  test.each([
    [
      'a short password',
      ['dave'],
      'short\n',
      'The new password is too short. Choose one of at least 12 characters.',
    ],
    [
      'no password',
      ['dave'],
      '',
      'The new password is too short. Choose one of at least 12 characters.',
    ],
    ['a name that is taken, in another case', ['BOB'], `${PASSWORD}\n`, 'already'],
    ['an invisible name', ['da\u200bve'], `${PASSWORD}\n`, 'A username must not contain'],
    ['more roles than a token holds', ['dave', ...MANY_ROLES], `${PASSWORD}\n`, 'The roles of an'],
    ['a role with spaces', ['dave', '--role', 'a b'], `${PASSWORD}\n`, 'A role has at most'],
  ])('create refuses %s', async (_, words, input, message) => {
    const result = await run(['accounts', 'create', ...words], input)
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain(message)
    expect(result.stderr).toMatch(/^[^\n]+\n$/)
  })

  test('list prints a table or JSON', async () => {
    const table = (await output(['accounts', 'list'])).split('\n')
    expect(table[0]).toMatch(/^USERNAME +ID +STATE +ROLES +EMAIL +VERIFIED +CREATED$/)
    expect(table.some((line) => /^admin +acct_\S{22} +active +admin +\S+ \S+Z$/.test(line))).toBe(
      true,
    )
    const bob = (await rows(['accounts', 'list'])).find(({ username }) => username === 'bob')
    expect(bob).toEqual({
      username: 'bob',
      id: expect.stringMatching(/^acct_/),
      state: 'active',
      roles: [],
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
  })

  test('delete asks first, then ends the sessions in the running server at once', async () => {
    const someone = await newAccount()
    const { username } = someone
    const { refresh, access } = await http.login(someone)
    const asked = await run(['accounts', 'delete', username])
    expect(asked).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/not a terminal\. Add --yes to run it without asking\.\n$/),
    })
    expect((await http.post('/api/token/verify/', { token: access })).status).toBe(200)
    expect(await output(['accounts', 'delete', username, '--yes'])).toMatch(
      `Account ${username}: deleted, and its sessions have ended. The audit lists it as acct_`,
    )
    expect(await refreshStatus(refresh)).toBe(401)
    expect((await http.post('/api/token/', someone)).status).toBe(401)
    expect((await run(['accounts', 'delete', username, '--yes'])).code).toBe(1)
  })

  test('disable ends the sessions in the running server at once, and enable revives none', async () => {
    const someone = await newAccount()
    const { username } = someone
    const { refresh, access } = await http.login(someone)
    expect(await output(['accounts', 'disable', username])).toBe(
      `Account ${username}: disabled, and its sessions have ended.\n`,
    )
    expect(await refreshStatus(refresh)).toBe(401)
    expect((await http.post('/api/token/verify/', { token: access })).status).not.toBe(200)
    expect((await http.post('/api/token/', someone)).status).toBe(401)
    expect(await output(['accounts', 'disable', username])).toBe(
      `Account ${username}: was already disabled.\n`,
    )
    expect(await output(['accounts', 'enable', username])).toBe(
      `Account ${username}: enabled, it can log in again.\n`,
    )
    expect(await output(['accounts', 'enable', username])).toBe(
      `Account ${username}: was not disabled.\n`,
    )
    expect(await refreshStatus(refresh)).toBe(401)
    expect(await refreshStatus((await http.login(someone)).refresh)).toBe(200)
  })

  test('set-password ends the sessions, and the old password no longer works', async () => {
    const someone = await newAccount()
    const { username } = someone
    const { refresh } = await http.login(someone)
    const text = await output(['accounts', 'set-password', username], 'another password for bob\n')
    expect(text).toBe(`Account ${username}: password set, and its sessions have ended.\n`)
    expect(await refreshStatus(refresh)).toBe(401)
    expect((await http.post('/api/token/', someone)).status).toBe(401)
    await http.login({ ...someone, password: 'another password for bob' })
    await output(['accounts', 'set-password', username], `${PASSWORD}\n`)
  })

  test('roles add and remove change the next token', async () => {
    const someone = await newAccount()
    const { username } = someone
    const { refresh } = await http.login(someone)
    expect(await output(['accounts', 'roles', 'add', username, 'writer'])).toBe(
      `Account ${username}: role added.\n`,
    )
    expect(await output(['accounts', 'roles', 'add', username, 'writer'])).toBe(
      `Account ${username}: already has this role.\n`,
    )
    const first = JSON.parse((await http.post('/api/token/refresh/', { refresh })).text) as Pair
    expect(claimsOf(first.access)['roles']).toEqual(['writer'])
    expect(await output(['accounts', 'roles', 'remove', username, 'writer'])).toBe(
      `Account ${username}: role removed.\n`,
    )
    expect(await output(['accounts', 'roles', 'remove', username, 'writer'])).toBe(
      `Account ${username}: does not have this role.\n`,
    )
    const body = { refresh: first.refresh }
    const second = JSON.parse((await http.post('/api/token/refresh/', body)).text) as Pair
    expect(claimsOf(second.access)['roles']).toEqual([])
  })

  test.each([
    [['accounts', 'disable', 'nobody']],
    [['accounts', 'enable', 'nobody']],
    [['accounts', 'set-password', 'nobody']],
    [['accounts', 'roles', 'add', 'nobody', 'x']],
    [['accounts', 'roles', 'remove', 'nobody', 'x']],
    [['sessions', 'list', '--account', 'nobody']],
    [['audit', 'list', '--account', 'nobody']],
  ])('%j names the account that does not exist', async (words) => {
    expect(await run(words, `${PASSWORD}\n`)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no account "nobody".\n',
    })
  })
})

describe('sessions', () => {
  test('list is newest first, and end takes effect in the running server', async () => {
    const someone = await newAccount()
    const { username } = someone
    const { refresh, access } = await http.login(someone)
    const { sid } = claimsOf(access)
    const [newest] = await rows(['sessions', 'list', '--account', username, '--limit', '1'])
    expect(newest).toMatchObject({ id: sid, username, state: 'live', refreshes: 0 })
    expect(await output(['sessions', 'end', String(sid)])).toBe('The session has ended.\n')
    expect(await refreshStatus(refresh)).toBe(401)
    expect(await output(['sessions', 'end', String(sid)])).toBe('The session had already ended.\n')
    const [ended] = await rows(['sessions', 'list', '--account', username, '--limit', '1'])
    expect(ended).toMatchObject({ id: sid, state: 'ended' })
    expect(JSON.stringify(await rows(['sessions', 'list']))).not.toContain('seed')
  })

  test('end --account ends all sessions of the account, which can log in again', async () => {
    const [someone, other] = [await newAccount(), await newAccount()]
    const pairs = [await http.login(someone), await http.login(someone)]
    const { refresh: kept } = await http.login(other)
    expect(await output(['sessions', 'end', '--account', someone.username])).toBe(
      `Account ${someone.username}: all its sessions have ended.\n`,
    )
    for (const { refresh, access } of pairs) {
      expect(await refreshStatus(refresh)).toBe(401)
      expect((await http.post('/api/token/verify/', { token: access })).status).not.toBe(200)
    }
    expect(await refreshStatus(kept)).toBe(200)
    await http.login(someone)
    expect((await run(['sessions', 'end', '--account', 'nobody'])).stderr).toBe(
      'There is no account "nobody".\n',
    )
    const [newest] = await rows(['audit', 'list', '--account', someone.username, '--limit', '2'])
    expect(newest).toMatchObject({ event: 'login' })
  })

  test('an id that begins with a dash is not read as a flag', async () => {
    const { access } = await http.login(BOB)
    const id = `-${String(claimsOf(access)['sid']).slice(1)}`
    execute(
      server.dataDir,
      'UPDATE sessions SET id = ? WHERE id = ?',
      id,
      String(claimsOf(access)['sid']),
    )
    expect(await output(['sessions', 'end', id])).toBe('The session has ended.\n')
    const marked = await output(['sessions', 'end', '--', id])
    expect(marked).toBe('The session had already ended.\n')
  })

  test('an unknown id is exit code 1', async () => {
    expect(await run(['sessions', 'end', 'nothing'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no session with this id. See: countersign sessions list\n',
    })
  })

  test('a user agent cannot control the terminal', async () => {
    const someone = await newAccount()
    const { access } = await http.login(someone)
    const agent = '\u001b[31mred\u001b]0;title\u0007\u009b2J\u202egnp.exe\r\nforged'
    execute(
      server.dataDir,
      'UPDATE sessions SET user_agent = ? WHERE id = ?',
      agent,
      String(claimsOf(access)['sid']),
    )
    const words = ['sessions', 'list', '--account', someone.username, '--limit', '1']
    for (const text of [await output(words), await output([...words, '--json'])]) {
      expect(text.trimEnd().replaceAll('\n', '')).toMatch(/^\P{C}+$/u)
      expect(text).toContain('red')
    }
    expect((await output(words)).trimEnd().split('\n')).toHaveLength(2)
    expect((await rows(words))[0]).toMatchObject({ user_agent: agent })
  })
})

test('keys list shows uses and states, never a secret', async () => {
  const keys = await rows(['keys', 'list'])
  expect(keys).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ use: 'access', algorithm: 'ES256', state: 'active' }),
      expect.objectContaining({ use: 'access', algorithm: 'ES256', state: 'pending' }),
      expect.objectContaining({ use: 'refresh', algorithm: 'HS256', state: 'active' }),
    ]),
  )
  expect(keys).toHaveLength(3)
  expect(Object.keys(keys[0]!)).toEqual(['kid', 'use', 'algorithm', 'state', 'since', 'next'])
  expect(await output(['keys', 'list'])).toMatch(/^KID +USE +ALGORITHM +STATE +SINCE +NEXT\n/)
})

describe('audit list', () => {
  test('names actor and event, newest first', async () => {
    const { username } = await newAccount()
    await output(['accounts', 'roles', 'add', username, 'audited'])
    const [newest] = await rows(['audit', 'list', '--account', username, '--limit', '1'])
    expect(newest).toMatchObject({
      event: 'role_added',
      outcome: 'ok',
      detail: 'audited',
      actor: expect.stringMatching(/^cli:./),
    })
    expect(await rows(['audit', 'list', '--limit', '3'])).toHaveLength(3)
  })

  test('lists the entries of a deleted account by its id', async () => {
    const { username } = await newAccount()
    const [made] = await rows(['audit', 'list', '--account', username])
    const id = String(made?.['account'])
    expect(await output(['accounts', 'delete', username, '--yes'])).toContain(id)
    const events = (await rows(['audit', 'list', '--account', id])).map(({ event }) => event)
    expect(events[0]).toBe('account_deleted')
    expect(events).toContain('account_created')
  })

  test('lists a refused login without username and password', async () => {
    const login = { username: 'typed-by-mistake', password: 'typed-by-mistake-too' }
    expect((await http.post('/api/token/', login)).status).toBe(401)
    expect((await rows(['audit', 'list', '--limit', '1']))[0]).toMatchObject({
      event: 'login',
      outcome: 'refused',
      detail: 'unknown_account',
      address: '127.0.0.1',
    })
    expect(await output(['audit', 'list'])).not.toContain('typed-by-mistake')
  })

  test('does not fail when a pipe closes early', () => {
    const line = `"$0" "$1" audit list --limit 10000; echo "code $?" >&2`
    const result = spawnSync('sh', ['-c', `{ sleep 0.4; ${line}; } | true`, ...launcher], {
      cwd: server.dataDir,
      env: { PATH: process.env['PATH'], COUNTERSIGN_DATA_DIR: server.dataDir },
      encoding: 'utf8',
    })
    expect(result.stderr).toBe('code 0\n')
  })
})

describe.concurrent('token inspect', () => {
  let forge: Forge
  let pair: Pair
  let access: Record<string, unknown>
  let refresh: Record<string, unknown>
  beforeAll(async () => {
    forge = await openForge(server.dataDir)
    pair = await http.login(ADMIN)
    access = claimsOf(pair.access)
    refresh = claimsOf(pair.refresh)
  })

  const nowSec = (): number => Math.floor(Date.now() / 1000)

  test('accepts tokens of the server, as an argument and from standard input', async () => {
    for (const token of [pair.access, pair.refresh]) {
      const text = await output(['token', 'inspect', token])
      expect(text).toContain('This token would be accepted.')
      expect(text).toContain(`"sid": "${String(access['sid'])}"`)
      expect(text).not.toContain('REFUSE')
      expect(await output(['token', 'inspect'], `${token}\n`)).toContain('would be accepted.')
      expect(await output(['token', 'inspect', '-'], `  ${token}  \n`)).toContain(
        'would be accepted.',
      )
    }
    expect(await refreshStatus(pair.refresh)).toBe(200)
    pair = await http.login(ADMIN)
    refresh = claimsOf(pair.refresh)
  })

  test('shows the times of a token in UTC, and from now', async () => {
    const iat = nowSec() - 7_260
    const token = forge.access({ ...access, iat, exp: iat + 3_600, auth_time: 'soon' })
    const { stdout } = await run(['token', 'inspect', token])
    const utc = (sec: number): string =>
      `${new Date(sec * 1000).toISOString().slice(0, 19).replace('T', ' ')}Z`
    expect(stdout).toContain(`iat        issued      ${utc(iat)}  (2 h 1 min ago)\n`)
    expect(stdout).toContain(`exp        expires     ${utc(iat + 3_600)}  (1 h 1 min ago)\n`)
    expect(stdout).not.toContain('auth_time  logged in')
    expect(await output(['token', 'inspect', pair.access])).toMatch(
      /^exp {8}expires {5}\S+ \S+Z {2}\(in \d min \d+ s\)$/m,
    )
  })

  test('recognises a token of another authority, and makes no further checks', async () => {
    const token = forge.access({ ...access, iss: 'https://other' }, { typ: 'JWT', kid: 'other' })
    const { code, stdout } = await run(['token', 'inspect', token])
    expect(code).toBe(1)
    expect(stdout.match(/^(?:ok|REFUSE) .*$/gm)).toEqual([
      `REFUSE  issuer      another authority issued it: "https://other". This server is http://localhost:${new URL(server.url).port} and has no key to check it`,
    ])
  })

  test('has colours only at a terminal, or if FORCE_COLOR is set', async () => {
    const words = ['token', 'inspect', pair.access]
    const colored = async (env: Record<string, string>): Promise<boolean> => {
      const own = { PORT: new URL(server.url).port, TERM: 'xterm-256color', ...env }
      const { stdout } = await runCommand(words, { dataDir: server.dataDir, env: own })
      return stdout.includes('\u001b[32mok')
    }
    const atTerminal = async (env: Record<string, string>): Promise<boolean> => {
      const own = { PORT: new URL(server.url).port, TERM: 'xterm-256color', ...env }
      const line = [...launcher, ...words].join(' ')
      const options = { dataDir: server.dataDir, env: own }
      const { stdout } = await runProgram('script', ['-qec', line, '/dev/null'], options)
      return stdout.includes('\u001b[32mok')
    }
    expect(await colored({})).toBe(false)
    expect(await colored({ FORCE_COLOR: '1' })).toBe(true)
    expect(await colored({ FORCE_COLOR: '0' })).toBe(false)
    expect(await atTerminal({})).toBe(true)
    expect(await atTerminal({ NO_COLOR: '1' })).toBe(false)
  })

  test.each<[name: string, make: () => string, refused: string, says: RegExp]>([
    ['another kind', () => forge.access(access, { typ: 'JWT' }), 'kind', /typ is "JWT"/],
    [
      'an unknown key',
      () => forge.access(access, { kid: 'other' }),
      'key',
      /no key of this server has the kid "other"/,
    ],
    [
      'a key of the other kind',
      () => forge.access(access, { typ: 'rt+jwt' }),
      'key',
      /no key of this server/,
    ],
    ['a broken signature', () => `${pair.access.slice(0, -4)}AAAA`, 'signature', /is not valid/],
    [
      'another issuer',
      () => forge.access({ ...access, iss: 'https://other' }),
      'issuer',
      /iss is "https:\/\/other"/,
    ],
    [
      'another audience',
      () => forge.access({ ...access, aud: 'other' }),
      'audience',
      /aud is "other"/,
    ],
    [
      'a token that expired',
      () => forge.access({ ...access, exp: nowSec() - 90 }),
      'expiry',
      /expired 1 min 3\d s ago/,
    ],
    [
      'a token without exp',
      () => forge.access({ ...access, exp: undefined }),
      'expiry',
      /exp is missing: A required claim is missing/,
    ],
    [
      'a token from the future',
      () => forge.access({ ...access, iat: nowSec() + 3_600 }),
      'issued',
      /in the future/,
    ],
    [
      'an unknown session',
      () => forge.access({ ...access, sid: 'x' }),
      'session',
      /this server has no session "x"/,
    ],
    [
      'a jti of another session',
      () => forge.refresh({ ...refresh, jti: '0'.repeat(32) }),
      'rotation',
      /was not made from this session/,
    ],
    ['an old generation', () => forge.refresh({ ...refresh, gen: 7 }), 'rotation', /was not made/],
  ])('refuses %s', async (_, make, refused, says) => {
    const { code, stdout, stderr } = await run(['token', 'inspect', make()])
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^REFUSE  ${refused} `, 'm'))
    expect(stdout).toMatch(says)
    expect(stdout).toMatch(new RegExp(`(?:would be refused|refuses the token): .*${refused}`))
  })

  test('refuses a token that was used, one of an ended session and one of a disabled account', async () => {
    const someone = await newAccount()
    const { username } = someone
    const used = await http.login(someone)
    const next = JSON.parse(
      (await http.post('/api/token/refresh/', { refresh: used.refresh })).text,
    ) as Pair
    await http.post('/api/token/refresh/', { refresh: next.refresh })
    const inspect = async (token: string): Promise<string> =>
      (await run(['token', 'inspect'], token)).stdout
    for (const token of [used.refresh, next.refresh]) {
      expect(await inspect(token)).toMatch(/ok {6}rotation .*the newest refresh token again/)
    }
    execute(
      server.dataDir,
      `UPDATE sessions SET rotated_at = rotated_at - 60000, grace_began_at = grace_began_at - 60000
       WHERE id = '${String(claimsOf(used.access)['sid'])}'`,
    )
    expect(await inspect(used.refresh)).toMatch(/REFUSE {2}rotation .*using it ends the session/)
    await output(['sessions', 'end', '--', String(claimsOf(used.access)['sid'])])
    expect(await inspect(next.access)).toMatch(/REFUSE {2}session +ended at \d{4}-/)
    const other = await http.login(someone)
    await output(['accounts', 'disable', username])
    expect(await inspect(other.access)).toMatch(/REFUSE {2}account +user-\w+ is disabled/)
    await output(['accounts', 'enable', username])
    expect(await inspect(other.access)).toMatch(
      /REFUSE {2}session +ended with all other sessions of its account/,
    )
  })

  test.each([['not-a-token'], ['a.b.c'], ['e30.e30']])('%j is not a JWT', async (text) => {
    const result = await run(['token', 'inspect'], `${text}\n`)
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(/^This cannot be read as a signed JWT: \w+\.\n$/)
  })

  test('an empty token is an error', async () => {
    const result = await run(['token', 'inspect'], '\n')
    expect(result).toEqual({ code: 1, stdout: '', stderr: 'No token was given.\n' })
  })

  test('after a session has ended, services without the feed still accept its access token', async () => {
    const ended = await http.login(await newAccount())
    await http.post('/api/token/blacklist/', { refresh: ended.refresh })
    const { stdout: shown } = await run(['token', 'inspect', `Bearer ${ended.access}`])
    expect(shown).toContain('This server refuses the token: session, revocation.')
    expect(shown).toContain('Guards with the revocation feed refuse it too.')
    expect(shown).toContain('Services without the revocation feed accept it until it expires.')
  })

  test('a token cannot control the terminal', async () => {
    const evil = '\u001b[2J\u009b31m\u202e\u{e0041}'
    const token = forge.access({ ...access, sid: evil, iss: evil }, { kid: evil })
    const { stdout } = await run(['token', 'inspect', token])
    expect(stdout.replaceAll('\n', '')).toMatch(/^\P{C}+$/u)
    expect(stdout).toContain('\\u001b[2J\\u009b31m\\u202e\\udb40\\udc41')
  })
})

describe('a password at a terminal', () => {
  /** Types each answer at a terminal when its question appears. Returns the screen. */
  function typeAt(
    words: readonly string[],
    answers: readonly [question: string, answer: string][],
  ) {
    const line = [...launcher, ...words].map((word) => `'${word}'`).join(' ')
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      cwd: server.dataDir,
      env: {
        PATH: process.env['PATH'],
        COUNTERSIGN_DATA_DIR: server.dataDir,
        COUNTERSIGN_ARGON2_MEMORY_KIB: '8192',
        COUNTERSIGN_ARGON2_PASSES: '1',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    let screen = ''
    const waiting = [...answers]
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text
      const [next] = waiting
      if (next === undefined || !screen.includes(next[0])) return
      waiting.shift()
      child.stdin.write(next[1])
    })
    return new Promise<{ code: number | null; screen: string }>((resolve) => {
      child.once('close', (code) => resolve({ code, screen }))
    })
  }

  test('is asked for twice and never shown', async () => {
    const secret = 'typed at a terminal'
    const { code, screen } = await typeAt(
      ['accounts', 'create', 'terry'],
      [
        ['Password: ', `${secret}\r`],
        ['Repeat it: ', `${secret}\r`],
      ],
    )
    expect(screen).toMatch(/Password: \r\n(.*)Repeat it: \r\n(.*)Account terry created/s)
    expect(screen).not.toContain('typed')
    expect(code).toBe(0)
    await http.login({ username: 'terry', password: secret })
  })

  test('that differs the second time changes nothing', async () => {
    const { code, screen } = await typeAt(
      ['accounts', 'create', 'tessa'],
      [
        ['Password: ', 'typed at a terminal\r'],
        ['Repeat it: ', 'typed at another\r'],
      ],
    )
    expect(screen).toContain('The two passwords differ. Nothing was changed.')
    expect(code).toBe(1)
    expect(query(server.dataDir, `SELECT 1 FROM accounts WHERE username = 'tessa'`)).toEqual([])
  })

  test('prompt can be left with Ctrl-C', async () => {
    const { code, screen } = await typeAt(
      ['accounts', 'set-password', 'bob'],
      [['Password: ', 'half a pass\u0003']],
    )
    expect(screen).toContain('Nothing was changed.')
    expect(screen).not.toContain('half')
    expect(code).toBe(1)
    await http.login(BOB)
  })
})

describe.concurrent('an older Node', () => {
  const older = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((path) => !path.includes('node_modules'))
    .map((path) => join(path, 'node'))
    .find((path) => existsSync(path) && /^v2[0-3]\./.test(versionOf(path)))

  test.skipIf(older === undefined).each([[['start']], [['accounts', 'list']], [['--help']]])(
    'prints the required version in one line: %j',
    async (words) => {
      const result = await runCommand(words, { dataDir: server.dataDir, node: older! })
      expect(result).toMatchObject({ code: 1, stdout: '' })
      expect(result.stderr).toMatch(
        /^Countersign needs Node\.js 24 or newer; this is 2\d\.[^\n]+\n$/,
      )
    },
  )

  test.skipIf(older === undefined)('cannot load the library either', async () => {
    const library = new URL('../src/index.ts', import.meta.url).href
    const words = ['--import', 'data:text/javascript,', '-e', `import('${library}')`]
    const result = await runProgram(older!, words, { dataDir: server.dataDir })
    expect(result.code).not.toBe(0)
  })
})

function versionOf(path: string): string {
  return spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout
}
