import { expect } from 'vitest'

/** One answer to what an attacker sent. */
export interface SeenAnswer {
  readonly what: string
  readonly status: number
  /** Headers and body as text. */
  readonly text: string
  readonly afterMs: number
}

/** No attack may keep the one who sent it, or anybody else, waiting longer. Far above what any needs. */
const ANSWER_MS_MAX = 5_000

// A stack, a path of ours, a version of anything, or the database's own words.
const INTERNALS =
  /\n\s+at |node_modules|\.ts:\d|\/src\/|(?<![\d.])v?\d+\.\d+\.\d+(?!\.?\d)|sqlite|argon2|SELECT |node\.js|hono/i

// Tokens and identifiers are random: in enough of them any word of four letters stands.
const RANDOM = /[\w-]{22,}/g

/** Asserts what holds for every answer, whatever was sent: no 5xx, nothing of the inside, and soon. */
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

/** Asserts that what was logged holds no secret and no error. */
export function expectHarmlessLog(log: string, secrets: readonly string[]): void {
  for (const secret of secrets) expect(log).not.toContain(secret)
  expect(log).not.toMatch(/"level":(?:50|60)/)
}
