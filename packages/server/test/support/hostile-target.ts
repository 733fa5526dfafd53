import { readFileSync } from 'node:fs'

import { expect } from 'vitest'

import type { Pair } from './authority.ts'
import { JSON_TYPE } from './contract.ts'
import { expectHarmlessAnswers, expectHarmlessLog, type SeenAnswer } from './harm.ts'
import { exchange, send, type Exchange, type RawAnswer, type RawRequest } from './raw.ts'
import { countStored } from './rows.ts'
import { ADMIN, startServerProcess } from './server-process.ts'

/** Sent in every position where a careless server would log it. */
export const CANARY = 'canary-3f9c51d7'

const GROWTH_KIB_MAX = 128 * 1024

/** A real server process that is sent what it should refuse, and one live session on it. */
export interface HostileTarget {
  readonly url: string
  readonly pair: Pair
  /** One request, of JSON unless it says otherwise. */
  ask(question: RawRequest): Promise<RawAnswer>
  /** Bytes as they are, on a connection of their own. */
  talk(...parts: (string | Uint8Array)[]): Promise<Exchange>
  /**
   * Asserts, after each case, that no answer was a 5xx, late or told of the inside, that the server
   * still runs, that nothing was stored or changed, and that it printed no error and nothing secret.
   */
  expectUnharmed(): void
  /** The same, that it holds little more memory, and ends it. */
  end(): Promise<void>
}

export async function startHostileTarget(
  env: Readonly<Record<string, string>> = {},
): Promise<HostileTarget> {
  const server = await startServerProcess({ env: { COUNTERSIGN_LOG_LEVEL: 'debug', ...env } })
  const credentials = JSON.stringify({ username: ADMIN.username, password: ADMIN.password })
  const headers = { 'content-type': JSON_TYPE }
  const login = await send(server.url, { path: '/api/token/', headers, body: credentials })
  const pair = JSON.parse(login.text) as Pair
  const storedBefore = countStored(server.dataDir)
  const residentKibBefore = residentKib(server.child.pid)
  const seen: SeenAnswer[] = []
  const signatures = [pair.access, pair.refresh].map((token) => token.split('.')[2]!)
  const secrets = [CANARY, ADMIN.password, pair.access, pair.refresh, ...signatures]

  function expectUnharmed(): void {
    expectHarmlessAnswers(seen.splice(0))
    expect(server.child.exitCode).toBeNull()
    expect(countStored(server.dataDir)).toEqual(storedBefore)
    expectHarmlessLog(server.output(), secrets)
  }

  return {
    url: server.url,
    pair,
    async ask(question) {
      const start = performance.now()
      const answer = await send(server.url, {
        ...question,
        headers: { ...headers, ...question.headers },
      })
      seen.push({
        what: `${question.method ?? 'POST'} ${question.path}`,
        status: answer.status,
        text: `${JSON.stringify(answer.headers)}\n${answer.text}`,
        afterMs: performance.now() - start,
      })
      return answer
    },
    async talk(...parts) {
      const answer = await exchange(server.url, parts)
      // How long it took is known only where the server closed: else it was this side that waited.
      for (const status of answer.statuses) {
        seen.push({ what: 'bytes', status, text: answer.text, afterMs: 0 })
      }
      return answer
    },
    expectUnharmed,
    async end() {
      await using ending = server
      expectUnharmed()
      expect((await fetch(`${ending.url}/readyz`)).status).toBe(200)
      expect(residentKib(ending.child.pid) - residentKibBefore).toBeLessThan(GROWTH_KIB_MAX)
    },
  }
}

/** A POST of JSON as text, up to and with the empty line, then the body as it is. */
export function post(headers: readonly string[], body = '', path = '/api/token/'): string {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Type: ${JSON_TYPE}`, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** The process's memory, as Linux counts it; 0 elsewhere, where growth is then not checked. */
function residentKib(pid: number | undefined): number {
  if (process.platform !== 'linux') return 0
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}
