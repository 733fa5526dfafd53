import { expect } from 'vitest'

/** One answer to an attacker. */
export interface SeenAnswer {
  readonly what: string
  readonly status: number
  /** Headers and body, as text. */
  readonly text: string
  readonly afterMs: number
}

/** No request may take longer than this, from the attacker or anybody else. Far above the normal time. */
const ANSWER_MS_MAX = 5_000

// A stack trace, a path of this project, a version, or a message of the database.
const INTERNALS =
  /\n\s+at |node_modules|\.ts:\d|\/src\/|(?<![\d.])v?\d+\.\d+\.\d+(?!\.?\d)|sqlite|argon2|SELECT |node\.js|hono/i

// Tokens and ids are random. In enough of them any word of four letters occurs.
const RANDOM = /[\w-]{22,}/g

/** Asserts that an answer is no 5xx, reveals no internals and came in time, for any request. */
export function expectHarmlessAnswers(answers: readonly SeenAnswer[]): void {
  const shown = (isHarmful: (answer: SeenAnswer) => boolean): string[] =>
    answers
      .filter(isHarmful)
      .map(
        ({ what, status, afterMs, text }) =>
          `${what} ${status} ${afterMs} ms: ${text.slice(0, 500)}`,
      )
  expect(shown(({ status }) => status >= 500)).toEqual([])
  expect(shown(({ text }) => INTERNALS.test(text.replace(RANDOM, '')))).toEqual([])
  expect(shown(({ afterMs }) => afterMs > ANSWER_MS_MAX)).toEqual([])
}

/** Asserts that the log contains no secret and no error. */
export function expectHarmlessLog(log: string, secrets: readonly string[]): void {
  for (const secret of secrets) expect(log).not.toContain(secret)
  expect(log).not.toMatch(/"level":(?:50|60)/)
}
