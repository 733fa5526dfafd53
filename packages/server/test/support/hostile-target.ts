import { readFileSync } from 'node:fs'

import { expect } from 'vitest'

import type { Pair } from './authority.ts'
import { JSON_TYPE } from './contract.ts'
import { expectHarmlessAnswers, expectHarmlessLog, type SeenAnswer } from './harm.ts'
import { exchange, send, type Exchange, type RawAnswer, type RawRequest } from './raw.ts'
import { countStored } from './rows.ts'
import { ADMIN, startServerProcess } from './server-process.ts'

/** Sent in every place where a careless server might log it. */
export const CANARY = 'canary-3f9c51d7'

const GROWTH_KIB_MAX = 128 * 1024

/** A real server process with one live session, for requests that it must refuse. */
export interface HostileTarget {
  readonly url: string
  readonly pair: Pair
  /** Sends one request, with JSON by default. */
  ask(question: RawRequest): Promise<RawAnswer>
  /** Sends raw bytes on a connection of its own. */
  talk(...parts: (string | Uint8Array)[]): Promise<Exchange>
  /**
   * Asserts, after each test, that no answer was a 5xx, late or revealed internals, that the server still
   * runs, that nothing was stored or changed, and that it printed no error and no secret.
   */
  expectUnharmed(): void
  /** Asserts the same, and that its memory has grown little. Then it stops the server. */
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
      // The time counts only when the server closed the connection. Otherwise this side waited.
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

/** The text of a POST with JSON: its headers, the empty line, and the body. */
export function post(headers: readonly string[], body = '', path = '/api/token/'): string {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Type: ${JSON_TYPE}`, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** The memory of the process, as Linux counts it. 0 elsewhere, where growth is not checked. */
function residentKib(pid: number | undefined): number {
  if (process.platform !== 'linux') return 0
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])
}
