import { Writable } from 'node:stream'

import { expect } from 'vitest'
import pino from 'pino'

import type { Authority, AuthorityConfig } from '../../src/authority.ts'
import { openTestAuthority, PASSWORD, type TestAuthority } from './authority.ts'
import { expectHarmlessAnswers, expectHarmlessLog, type SeenAnswer } from './harm.ts'
import { countStored, type Stored } from './rows.ts'

/** An authority whose answers and log lines are all checked. */
export interface AttackedAuthority extends TestAuthority {
  /** After this call nothing may be stored or changed. Tests call it when their preparations are done. */
  mark(): void
  /**
   * Asserts, after each test, that no answer was a 5xx, late or revealed internals, that no secret was
   * logged, and that nothing was stored or changed since `mark`.
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
