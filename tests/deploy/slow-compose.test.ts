import { execFileSync, spawn } from 'node:child_process'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { freePort } from '../../scripts/lib/processes.ts'
import { describeWith } from '../support/requirements.ts'
import { readCompose } from './compose.ts'
import { ROOT } from './containerfile.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-compose-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The script of a service, with the folder of the test in place of /run/secrets. */
function scriptOf(name: string): string {
  const script = readCompose().services[name]?.entrypoint?.[2] ?? ''
  // Compose replaces `$$` by `$`.
  return script.replaceAll('$$', '$').replaceAll('/run/secrets', folder)
}

test('a node gets its URLs from the files, and its command as it is', () => {
  writeFileSync(join(folder, 'postgres_password'), 'one\n')
  writeFileSync(join(folder, 'redis_password'), 'two\n')
  const program = join(folder, 'countersign')
  writeFileSync(program, '#!/bin/sh\necho "$DATABASE_URL $REDIS_URL $*"\n', { mode: 0o755 })
  const words = ['-ceu', scriptOf('authority-1'), 'countersign', 'start', '--port', '8001']
  const env = { PATH: `${folder}:${process.env['PATH']}` }
  expect(execFileSync('/bin/sh', words, { env, encoding: 'utf8' })).toBe(
    'postgres://countersign:one@postgres:5432/countersign redis://default:two@redis:6379/0 start --port 8001\n',
  )
})

test('make-secrets.sh makes every file once', () => {
  const script = join(folder, 'make-secrets.sh')
  copyFileSync(join(ROOT, 'deploy/compose/make-secrets.sh'), script)
  execFileSync('/bin/sh', [script], { stdio: 'ignore' })
  const secrets = join(folder, 'secrets')
  const read = (): string[] =>
    readdirSync(secrets).map((file) => readFileSync(join(secrets, file), 'utf8'))
  const first = read()
  const files = Object.values(readCompose().secrets).map(({ file }) =>
    file.replace('./secrets/', ''),
  )
  expect(readdirSync(secrets).toSorted()).toEqual(files.toSorted())
  expect(statSync(secrets).mode & 0o077).toBe(0)
  execFileSync('/bin/sh', [script], { stdio: 'ignore' })
  expect(read()).toEqual(first)
})

describeWith('redis', 'the script of Redis', () => {
  test('starts Redis with the password of the file, and ends it at SIGTERM', async () => {
    writeFileSync(join(folder, 'redis_password'), 'secret-of-redis\n')
    const port = await freePort()
    const script = scriptOf('redis').replace('redis-server -', `redis-server - --port ${port}`)
    const redis = spawn('/bin/sh', ['-ceu', script], { cwd: folder, stdio: 'ignore' })
    const ended = new Promise((resolve) => redis.once('exit', resolve))
    try {
      const ping = async (password?: string): Promise<string> => {
        const client = new Redis({
          port,
          lazyConnect: true,
          retryStrategy: () => null,
          ...(password === undefined ? {} : { password }),
        })
        client.on('error', () => undefined)
        try {
          await client.connect()
          return await client.ping()
        } catch (error) {
          return String(error)
        } finally {
          client.disconnect()
        }
      }
      await expect.poll(() => ping('secret-of-redis')).toBe('PONG')
      expect(await ping()).not.toBe('PONG')
    } finally {
      redis.kill('SIGTERM')
    }
    expect(await ended).toBe(0)
  })
})
