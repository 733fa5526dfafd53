import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { freePort } from '../../scripts/lib/processes.ts'
import { LoggedProcess } from '../support/logged-process.ts'

/** A real nginx in front of several nodes. It takes the next node for each request. */
export interface Nginx extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Its log of errors: which node failed when. */
  output(): string
}

export interface NginxOptions {
  /** For its configuration, its log and bodies of requests. The caller removes it. */
  readonly folder: string
  readonly nodePorts: readonly number[]
  readonly port?: number
}

// Debian installs nginx in a folder that is not in everybody's PATH.
const NGINX = '/usr/sbin/nginx'

export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const { folder } = options
  const port = options.port ?? (await freePort())
  const path = join(folder, 'nginx.conf')
  writeFileSync(path, configuration(options, port))
  const command = ['--pdeathsig', 'KILL', NGINX, '-p', folder, '-c', path, '-e', 'stderr']
  const server = new LoggedProcess(['/usr/bin/setpriv', command], join(folder, 'nginx.log'))
  const url = `http://127.0.0.1:${port}`
  await server.start(() => fetch(`${url}/healthz`))
  return {
    url,
    port,
    output: () => server.output(),
    async [Symbol.asyncDispose]() {
      await server.end('SIGKILL')
    },
  }
}

/**
 * A request that reached no node, or whose node ended before it answered, is
 * sent to another node: each request of Countersign may be repeated. Nginx never counts a node as dead: a database
 * that stands still makes all nodes slow, and then nginx would answer 502 itself. One process, so that nothing is left
 * behind.
 */
function configuration({ folder, nodePorts }: NginxOptions, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n  ')
  const nodes = nodePorts.map((each) => `server 127.0.0.1:${each} max_fails=0;`)
  return `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary}
  map $http_upgrade $connection_header {
    default upgrade;
    ''      '';
  }
  upstream nodes {
    ${nodes.join('\n    ')}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_connect_timeout 2s;
      proxy_read_timeout 8s;
      proxy_next_upstream error timeout non_idempotent;
    }
  }
}
`
}
