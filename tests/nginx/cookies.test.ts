import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as ask, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test, vi } from 'vitest'

import { freePort } from '../../scripts/lib/processes.ts'
import { describeWith } from '../support/requirements.ts'

const GUIDE = new URL('../../docs/guides/browsers.md', import.meta.url)
const REFRESH = '__Host-cs_refresh'

describeWith('nginx', 'the map of docs/guides/browsers.md, in nginx', () => {
  let folder: string
  let service: Server
  let nginx: ChildProcess
  let port: number
  /** The Cookie header of each request that arrived at the service. */
  const arrived: (string | undefined)[] = []

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-nginx-'))
    service = createServer((incoming, outgoing) => {
      arrived.push(incoming.headers.cookie)
      outgoing.end()
    })
    await new Promise<void>((resolve) => void service.listen(0, '127.0.0.1', resolve))
    port = await freePort()
    const target = (service.address() as AddressInfo).port
    writeFileSync(join(folder, 'nginx.conf'), configuration(folder, port, target))
    // Debian installs nginx in a folder that is not in everybody's PATH.
    const command = 'PATH="$PATH:/usr/sbin" exec nginx -p "$0" -c "$0/nginx.conf" -e stderr'
    nginx = spawn('/bin/sh', ['-c', command, folder], { stdio: 'ignore' })
    await vi.waitFor(() => send(undefined), { timeout: 10_000 })
  })

  afterAll(async () => {
    if (nginx !== undefined) {
      const ended = new Promise((resolve) => void nginx.once('exit', resolve))
      nginx.kill('SIGTERM')
      await ended
    }
    await new Promise((resolve) => service?.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  /** Sends a request through nginx. A list makes several Cookie headers. Returns the status. */
  function send(cookie: string | readonly string[] | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const cookies = typeof cookie === 'string' ? [cookie] : cookie
      const headers = cookies === undefined ? {} : { cookie: [...cookies] }
      ask({ host: '127.0.0.1', port, path: '/api/x', headers, agent: false }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode ?? 0))
      })
        .once('error', reject)
        .end()
    })
  }

  async function forward(cookie: string | readonly string[]): Promise<string> {
    arrived.length = 0
    expect(await send(cookie)).toBe(200)
    return (arrived[0] ?? '').trim()
  }

  test.each([
    ['a=1; __Host-cs_access=A.b-c', 'a=1; __Host-cs_access=A.b-c'],
    [`${REFRESH}=R.r-r`, ''],
    [`a=1; ${REFRESH}=R.r-r; __Host-cs_access=A`, 'a=1; __Host-cs_access=A'],
    [`${REFRESH}=R.r-r; a=1; b=2`, 'a=1; b=2'],
    [`a=1; b=2; ${REFRESH}=R.r-r`, 'a=1; b=2;'],
    ['my__Host-cs_refresh=1; a=2', 'my__Host-cs_refresh=1; a=2'],
    // Odd spacing, as proxies that join headers make it.
    [`a=1;${REFRESH}=R.r-r;b=2`, 'a=1; b=2'],
    [`a=1;   ${REFRESH}=R.r-r;\tb=2`, 'a=1; b=2'],
    [`a=1; ${REFRESH} =R.r-r; b=2`, 'a=1; b=2'],
    [`a=1; ${REFRESH}= R.r-r ; b=2`, 'a=1; b=2'],
    [`a=1;\t${REFRESH}\t=R.r-r; b=2`, 'a=1; b=2'],
  ])('%j becomes %j', async (sent, received) => {
    expect(await forward(sent)).toBe(received)
  })

  test.each([
    [[`${REFRESH}=R.r-r; ${REFRESH}=R.r-r`]],
    [[`${REFRESH}=R.r-r; a=1; ${REFRESH}=R.r-r; b=2`]],
    [[`a=1; ${REFRESH} =R.r-r;${REFRESH}=R.r-r`]],
    [[`${REFRESH}=x; ${REFRESH}=y; ${REFRESH}=R.r-r`]],
    [[`a=1, ${REFRESH}=R.r-r`]],
    [[`${REFRESH}=R.r-r, b=2`]],
    [[`a=1 ${REFRESH}=R.r-r`]],
    [[REFRESH]],
    // Two headers, as HTTP/2 clients send them.
    [[`a=1; ${REFRESH}=R.r-r`, `b=2; ${REFRESH}=R.r-r`]],
    [[`a=1`, `${REFRESH}=R.r-r`]],
  ])('%j does not reach the service', async (sent) => {
    const received = await forward(sent)
    expect(received).not.toContain('R.r-r')
    expect(received).not.toContain(REFRESH)
  })
})

/** A configuration of nginx with the map of the guide, word by word. */
function configuration(folder: string, port: number, target: number): string {
  const map = /^map \$http_cookie [^]*?^\}$/m.exec(readFileSync(GUIDE, 'utf8'))?.[0]
  if (map === undefined) throw new Error('The guide has no map of cookies.')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n')
  return `
daemon off;
pid ${folder}/pid;
worker_processes 1;
events {}
http {
  access_log off;
  ${temporary}
  ${map}
  server {
    listen 127.0.0.1:${port};
    location /api/ {
      proxy_set_header Cookie $cookies_for_services;
      proxy_pass http://127.0.0.1:${target};
    }
  }
}
`
}
