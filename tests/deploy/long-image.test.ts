import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  globSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { mayInstall } from '../../scripts/lib/installs.ts'
import { freePort } from '../../scripts/lib/processes.ts'
import { parseCommand, restOf } from './containerfile.ts'
import { buildImage, canBuild, type Image } from './image.ts'

const PASSWORD = 'a long test password'
const why = mayInstall
  ? canBuild()
    ? ''
    : ' (NOT RUN: it needs root and overlay mounts)'
  : ' (NOT RUN: it installs packages from npm, and TESTS_INSTALL=off)'

describe.skipIf(why !== '')(`the Containerfile, run with chroot${why}`, () => {
  let image: Image
  let data: string
  let port: number
  const children: ChildProcess[] = []

  beforeAll(async () => {
    image = buildImage()
    data = mkdtempSync(join(tmpdir(), 'countersign-volume-'))
    // Engines give a new volume the owner of the folder in the image.
    const { uid, gid } = lstatSync(join(image.files, 'data'))
    chownSync(data, uid, gid)
    writeFileSync(join(data, 'test-secret'), randomBytes(32).toString('base64'), { mode: 0o400 })
    chownSync(join(data, 'test-secret'), uid, gid)
    port = await freePort()
  }, 1_200_000)
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL')
    if (data !== undefined) rmSync(data, { recursive: true, force: true })
    image?.[Symbol.dispose]()
  })

  const env = (): Record<string, string> => ({
    PORT: String(port),
    COUNTERSIGN_PUBLIC_URL: 'https://auth.example.com',
    COUNTERSIGN_SECRET_FILE: '/data/test-secret',
    COUNTERSIGN_ADMIN_PASSWORD: PASSWORD,
  })
  const url = (path: string): string => `http://127.0.0.1:${port}${path}`

  test('has the server and what it loads, and nothing else', () => {
    const packages = readdirSync(join(image.files, 'app/node_modules'))
    expect(packages).toContain('countersign')
    expect(packages).toContain('hono')
    for (const absent of ['express', '@nestjs', 'typescript', 'vitest', 'react', '@scarf']) {
      expect(packages).not.toContain(absent)
    }
    expect(readdirSync(join(image.files, 'app/node_modules/@countersign'))).toEqual([
      'guard',
      'jwt',
    ])
    const typescript = globSync('app/node_modules/{countersign,@countersign/*}/{src,test}', {
      cwd: image.files,
    })
    expect(typescript).toEqual([])
  })

  test('belongs to root, and nobody else can write to it', () => {
    const loose = globSync('app/**', { cwd: image.files }).filter((path) => {
      const { uid, mode } = lstatSync(join(image.files, path))
      return uid !== 0 || ((mode & 0o022) !== 0 && (mode & 0o170_000) !== 0o120_000)
    })
    expect(loose).toEqual([])
  })

  test('serves with a read-only root file system, answers its health check, and drains at SIGTERM', async () => {
    const server = image.start({ env: env(), data })
    children.push(server)
    const ended = new Promise<number | null>((resolve) => server.once('exit', resolve))
    let output = ''
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    }
    const ready = async (): Promise<number> => (await fetch(url('/readyz'))).status
    await expect.poll(() => ready().catch(() => output)).toBe(200)

    // The command of HEALTHCHECK, in the image.
    const check = parseCommand(restOf(image.stage, 'HEALTHCHECK')[0]?.replace(/^.*?CMD /, ''))
    expect(image.run({ env: env(), data, program: check })).toMatchObject({ status: 0 })
    expect(image.run({ env: env(), data, program: [...check, '/readyz'] })).toMatchObject({
      status: 0,
    })
    const missing = image.run({ env: env(), data, program: [...check, '/missing'] })
    expect(missing).toEqual({ status: 1, output: '/missing: status 404\n' })

    const login = (): Promise<Response> =>
      fetch(url('/api/token/'), {
        method: 'POST',
        body: new URLSearchParams({ username: 'admin', password: PASSWORD }),
      })
    expect((await login()).status).toBe(200)
    // A command beside the server, as with `podman exec`.
    const listed = image.run({ env: env(), data, program: ['countersign', 'accounts', 'list'] })
    expect(listed.output).toContain('admin')
    expect(image.run({ env: env(), data, program: ['touch', '/app/x'] }).output).toContain(
      'Read-only file system',
    )

    const pending = Array.from({ length: 8 }, () => login())
    await expect.poll(() => readdirSync(data)).toContain('countersign.db')
    server.kill('SIGTERM')
    const statuses = (await Promise.all(pending)).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map(() => 200))
    expect(await ended).toBe(0)
    expect(output).toContain('"event":"stopped"')
    const down = image.run({ env: env(), data, program: check })
    expect(down).toEqual({ status: 1, output: '/healthz: ECONNREFUSED\n' })
    expect(readdirSync(data).toSorted()).toEqual([
      'countersign.db',
      'countersign.lock',
      'test-secret',
    ])
  })

  test('starts on a volume that belongs to root and its group, as Kubernetes mounts them', async () => {
    const volume = mkdtempSync(join(tmpdir(), 'countersign-volume-'))
    try {
      const { gid } = lstatSync(join(image.files, 'data'))
      chownSync(volume, 0, gid)
      chmodSync(volume, 0o2777)
      writeFileSync(join(volume, 'secret'), randomBytes(32).toString('base64'))
      chmodSync(join(volume, 'secret'), 0o440)
      const settings = {
        ...env(),
        COUNTERSIGN_SECRET_FILE: '/data/secret',
        COUNTERSIGN_DATA_DIR: '/data/countersign',
      }
      const server = image.start({ env: settings, data: volume })
      children.push(server)
      const ended = new Promise<number | null>((resolve) => server.once('exit', resolve))
      let output = ''
      server.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
      const ready = async (): Promise<number> => (await fetch(url('/readyz'))).status
      await expect.poll(() => ready().catch(() => output)).toBe(200)
      server.kill('SIGTERM')
      expect(await ended).toBe(0)
      expect(output).not.toContain('files_exposed')
    } finally {
      rmSync(volume, { recursive: true, force: true })
    }
  })

  test('runs as a user without name, root or a group of root', () => {
    for (const flag of ['-u', '-G']) {
      expect(image.run({ env: env(), data, program: ['id', flag] }).output).toBe('65534\n')
    }
  })
})
