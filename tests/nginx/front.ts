import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { vi } from 'vitest'

import { freePort } from '../../scripts/lib/processes.ts'
import { makeCertificate, type Certificate } from '../support/certificate.ts'

const FILES = fileURLToPath(new URL('../../deploy/nginx', import.meta.url))

/** The host name in the configuration. */
export const HOST = 'auth.example.com'

/** The real nginx with the files of deploy/nginx. */
export interface Front extends AsyncDisposable {
  /** Its port for TLS on 127.0.0.1, and its port for plain HTTP. */
  readonly port: number
  readonly plainPort: number
  readonly certificate: Certificate
}

/** The ports of 127.0.0.1 at which the nodes of Countersign and the service listen. */
export interface Behind {
  readonly nodes: readonly number[]
  readonly service: number
}

/**
 * Starts nginx and waits until it accepts connections. Of the files, only addresses change: the ports, the nodes, the
 * certificate, and where nginx writes.
 */
export async function startFront(behind: Behind): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-nginx-'))
  chmodSync(folder, 0o711) // The workers have another user.
  cpSync(FILES, folder, { recursive: true })
  const certificate = makeCertificate()
  writeFileSync(join(folder, 'key.pem'), certificate.key, { mode: 0o600 })
  writeFileSync(join(folder, 'certificate.pem'), certificate.cert)
  const [port, plainPort] = [await freePort(), await freePort()]
  change(join(folder, 'nginx.conf'), [
    ['pid /run/nginx.pid;', `pid ${folder}/nginx.pid;\ndaemon off;`],
    ['error_log /var/log/nginx/error.log warn;', 'error_log stderr warn;'],
    ['access_log /var/log/nginx/access.log plain;', `access_log off;\n${temporaryPaths(folder)}`],
  ])
  change(join(folder, 'site.conf'), [
    ['listen 443 ', `listen 127.0.0.1:${port} `],
    ['listen 80 ', `listen 127.0.0.1:${plainPort} `],
    ['/etc/nginx/tls/', `${folder}/`],
  ])
  const settings = 'max_fails=0;'
  change(join(folder, 'upstreams.conf'), [
    [
      `  server 127.0.0.1:8001 ${settings}\n  server 127.0.0.1:8002 ${settings}`,
      behind.nodes.map((node) => `  server 127.0.0.1:${node} ${settings}`).join('\n'),
    ],
    ['127.0.0.1:3000', `127.0.0.1:${behind.service}`],
  ])
  // Debian installs nginx in a folder that is not in everybody's PATH.
  const command = 'PATH="$PATH:/usr/sbin" exec nginx -p "$0" -c "$0/nginx.conf" -e stderr'
  const nginx = spawn('/bin/sh', ['-c', command, folder], { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  nginx.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<void>((resolve) => nginx.once('exit', () => resolve()))
  const kill = (): boolean => nginx.kill('SIGTERM')
  process.once('exit', kill)
  const front = {
    port,
    plainPort,
    certificate,
    async [Symbol.asyncDispose]() {
      process.off('exit', kill)
      kill()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await vi.waitUntil(
      async () => {
        if (nginx.exitCode !== null) throw new Error(`nginx ended: ${output}`)
        return accepts(port)
      },
      { timeout: 60_000 },
    )
  } catch (error) {
    await front[Symbol.asyncDispose]()
    throw error
  }
  return front
}

/** Replaces every occurrence. Throws an `Error` for a text that the file does not have. */
function change(file: string, replacements: readonly (readonly [string, string])[]): void {
  let text = readFileSync(file, 'utf8')
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`${file} has no "${from}"`)
    text = text.replaceAll(from, to)
  }
  writeFileSync(file, text)
}

function temporaryPaths(folder: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n')
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
