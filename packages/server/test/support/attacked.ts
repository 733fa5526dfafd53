import { Writable } from 'node:stream'

import { expect } from 'vitest'
import pino from 'pino'

import type { Authority, AuthorityConfig } from '../../src/authority.ts'
import { openTestAuthority, PASSWORD, type TestAuthority } from './authority.ts'
import { expectHarmlessAnswers, expectHarmlessLog, type SeenAnswer } from './harm.ts'
import { countStored, type Stored } from './rows.ts'

/** An authority whose every answer and log line is looked at. */
export interface AttackedAuthority extends TestAuthority {
  /** From here on nothing may change: called when a case has what it needs, or has seen what it wanted. */
  mark(): void
  /**
   * Asserts, after each case, that no answer was a 5xx, late or told of the inside, that nothing secret
   * was logged, and that nothing was stored or changed since `mark`.
   */
  expectUnharmed(): void
}

export async function openAttackedAuthority(
  config: AuthorityConfig = {},
): Promise<AttackedAuthority> {
  let log = ''
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      log += chunk.toString()
      done()
    },
  })
  const seen: SeenAnswer[] = []
  const watch =
    (fetch: Authority['fetch']): Authority['fetch'] =>
    async (request, context) => {
      const start = performance.now()
      const what = `${request.method} ${new URL(request.url).pathname}`
      const response = await fetch(request, context)
      const text = `${JSON.stringify([...response.headers])}\n${await response.clone().text()}`
      seen.push({ what, status: response.status, text, afterMs: performance.now() - start })
      return response
    }
  const it = await openTestAuthority({ logger: pino({ level: 'debug' }, stream), ...config }, watch)
  let marked: Stored = countStored(it.dataDir)
  const mark = (): void => {
    marked = countStored(it.dataDir)
  }
  return {
    get authority() {
      return it.authority
    },
    clock: it.clock,
    dataDir: it.dataDir,
    post: (...request) => it.post(...request),
    login: (...from) => it.login(...from),
    restart: (...changes) => it.restart(...changes),
    [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    mark,
    expectUnharmed() {
      expectHarmlessAnswers(seen.splice(0))
      expectHarmlessLog(log, [PASSWORD, 'eyJ'])
      expect(countStored(it.dataDir)).toEqual(marked)
    },
  }
}
