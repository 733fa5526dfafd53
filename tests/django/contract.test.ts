import { execFileSync } from 'node:child_process'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { JsonNumber, pythonText } from '../../packages/server/src/http/json-number.ts'
import { send, type RawRequest } from '../../packages/server/test/support/raw.ts'
import {
  ADMIN,
  startServerProcess,
  type ServerProcess,
} from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { startIssuer, type DjangoProcess } from './django.ts'
import {
  blacklist,
  commonQuestions,
  credentials,
  differences,
  fieldsOf,
  json,
  JSON_TYPE,
  questions,
  token,
  type Pair,
  type Question,
} from './questions.ts'

/** The part of an answer that must be the same on both sides. */
interface Answer {
  readonly status: number
  readonly body: string
  readonly contentType: string | undefined
  readonly authenticate: string | undefined
  readonly vary: string | undefined
  readonly allow: string | undefined
}

describeWith('django', 'the same request to Django with SimpleJWT and to us', () => {
  let django: DjangoProcess
  let server: ServerProcess
  beforeAll(async () => {
    ;[django, server] = await Promise.all([startIssuer(ADMIN), startServerProcess()])
  })
  afterAll(async () => {
    await Promise.all([django, server].map((each) => each?.[Symbol.asyncDispose]()))
  })

  async function login(url: string): Promise<Pair> {
    return JSON.parse((await send(url, json(token, credentials))).text) as Pair
  }

  async function answerOf(url: string, question: Question): Promise<Answer> {
    const request = typeof question === 'function' ? await withTokens(url, question) : question
    const { status, headers, text } = await send(url, request)
    return {
      status,
      body: normalize(text),
      contentType: headers['content-type'],
      authenticate: headers['www-authenticate'],
      vary: headers.vary,
      allow: headers.allow,
    }
  }

  async function withTokens(
    url: string,
    question: Exclude<Question, RawRequest>,
  ): Promise<RawRequest> {
    const spent = await login(url)
    await send(url, json(blacklist, JSON.stringify({ refresh: spent.refresh })))
    return question(await login(url), spent)
  }

  async function expectSame(question: Question): Promise<void> {
    const [theirs, ours] = [
      await answerOf(django.url, question),
      await answerOf(server.url, question),
    ]
    expect(ours).toEqual(theirs)
  }

  describe.each(Object.keys(fieldsOf))('%s', (path) => {
    test.each(Object.entries(commonQuestions(path)))('%s', (_, question) => expectSame(question))
  })

  test.each(Object.entries(questions))('%s', (_, question) => expectSame(question))

  test.each(differences)(
    'different on purpose: $what',
    async ({ question, ours, django: theirs }) => {
      const headers = { 'content-type': JSON_TYPE, ...question.headers }
      expect((await send(server.url, { ...question, headers })).status).toBe(ours)
      expect((await send(django.url, { ...question, headers })).status).toBe(theirs)
    },
  )

  test('numbers become the same text as in Python', () => {
    const numbers = Array.from({ length: 2_000 }, (_, at) => randomNumber(at))
    const script = 'import json,sys; print(json.dumps([str(n) for n in json.load(sys.stdin)]))'
    const input = `[${numbers.join(',')}]`
    const texts: unknown = JSON.parse(
      execFileSync('/usr/bin/python3', ['-c', script], { input, encoding: 'utf8' }),
    )
    expect(numbers.map((source) => pythonText(new JsonNumber(source)))).toEqual(texts)
  })
})

/** Replaces the parts that must differ: the tokens, parser texts, and texts of an older SimpleJWT. */
function normalize(text: string): string {
  return text
    .replaceAll(/"[\w-]+\.[\w-]+\.[\w-]+"/g, '"<token>"')
    .replace(/("detail":"(?:JSON|Multipart form) parse error - ).*"}$/, '$1..."}')
    .replace(/"Token is (?:invalid or expired|invalid|expired)"/, '"Token is invalid or expired"')
}

/** Makes JSON numbers of all lengths and exponents, the same in each run. */
function randomNumber(at: number): string {
  // A linear congruential generator (Numerical Recipes) is random enough for digits.
  let state = (at * 2_654_435_761) >>> 0
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const digits = Array.from({ length: 1 + next(20) }, () => next(10)).join('')
  const whole = digits.replace(/^0+(?=\d)/, '')
  const fraction = next(2) === 0 ? '' : `.${next(1_000_000)}`
  const exponent = next(2) === 0 ? '' : `e${next(80) - 40}`
  return `${next(3) === 0 ? '-' : ''}${whole}${fraction}${exponent}`
}
