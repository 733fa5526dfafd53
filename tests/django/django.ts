import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SERVICE = fileURLToPath(new URL('service.py', import.meta.url))

// An absolute path: Debian has installed the packages for this one, and PATH may contain another python3.
const PYTHON = '/usr/bin/python3'

const START_MS = 60_000

export interface DjangoProcess extends AsyncDisposable {
  readonly url: string
}

/** Starts a Django that issues tokens itself, with one user. */
export function startIssuer(user: { username: string; password: string }): Promise<DjangoProcess> {
  const { username, password } = user
  return start({ ROLE: 'issuer', DJANGO_USERNAME: username, DJANGO_PASSWORD: password })
}

/** Starts a Django service that accepts the tokens of another issuer: `GET /whoami/`. */
export function startService(trusts: {
  jwksUrl: string
  issuer: string
  audience: string
}): Promise<DjangoProcess> {
  const { jwksUrl, issuer, audience } = trusts
  return start({ ROLE: 'service', JWK_URL: jwksUrl, ISSUER: issuer, AUDIENCE: audience })
}

/** Starts the same service, but it shares a secret with the issuer (HS256). */
export function startSharingService(trusts: {
  sharedSecret: string
  issuer: string
  audience: string
}): Promise<DjangoProcess> {
  const { sharedSecret, issuer, audience } = trusts
  return start({
    ROLE: 'sharing',
    SHARED_SECRET: sharedSecret,
    ISSUER: issuer,
    AUDIENCE: audience,
  })
}

async function start(env: Readonly<Record<string, string>>): Promise<DjangoProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-django-'))
  const child = spawn(PYTHON, [SERVICE], {
    env: { PATH: process.env['PATH'], DATABASE: join(dataDir, 'db.sqlite3'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const listening = new Promise<string>((resolve, reject) => {
    const failed = (): void => reject(new Error(`Django did not start:\n${output}`))
    const late = setTimeout(failed, START_MS)
    child.once('exit', failed)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        output += text
        const port = /^PORT (\d+)$/m.exec(output)?.[1]
        if (port === undefined) return
        clearTimeout(late)
        resolve(`http://127.0.0.1:${port}`)
      })
    }
  })
  const close = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    return { url: await listening, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
