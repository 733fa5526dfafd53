import { expect, test } from 'vitest'

import { execute } from './support/database.ts'
import { HttpClient, type HttpAnswer } from './support/http-client.ts'
import { isLeak, shuffled } from './support/leak.ts'
import { sized } from './support/long.ts'
import { ADMIN, startServerProcess, type ServerProcess } from './support/server-process.ts'
import { openSmtpServer } from './support/smtp-server.ts'

// P01 of docs/attack-catalogue.md for mails: neither the bytes of the answer, nor its time, nor the time of the
// next request reveal whether an account has an address. The server is a process that sends its mails by SMTP.

// SECURITY.md states the result with ENUMERATION_TRIES=2000, which takes 35 minutes.
const TRIES = Number(process.env['ENUMERATION_TRIES'] ?? sized(30, 300))
const WARM_UP = 10
const RETRIES = 2
/** How many accounts there are. As many unknown addresses are asked for. */
const ACCOUNTS = 40
/** 0.4 ms of an answer that takes 100 ms. */
const ANSWERS_DIFFER_MAX = 0.004
/** 0.05 ms of an answer that takes 1 ms. */
const NEXT_DIFFER_MAX = 0.05

const KINDS = ['known', 'unknown'] as const
type Kind = (typeof KINDS)[number]

interface Asks {
  readonly client: HttpClient
  readonly bearer: () => Promise<string>
}

interface Flow {
  readonly path: string
  readonly ask: (asks: Asks, email: string) => Promise<HttpAnswer>
}

const PASSWORD = 'the right horse battery'

const FLOWS: readonly Flow[] = [
  {
    path: '/auth/password/forgot',
    ask: ({ client }, email) => client.post('/auth/password/forgot', { email }),
  },
  {
    path: '/auth/login/code/send',
    ask: ({ client }, email) => client.post('/auth/login/code/send', { email }),
  },
  {
    path: '/auth/signup',
    ask: ({ client }, email) => client.post('/auth/signup', { email, password: PASSWORD }),
  },
  {
    path: '/auth/email/change',
    ask: async ({ client, bearer }, email) => {
      const body = { email, password: ADMIN.password }
      return client.post('/auth/email/change', body, { authorization: await bearer() })
    },
  },
]

/** Known and unknown addresses are equally long, and in random order. */
function addressOf(kind: Kind, n: number): string {
  return `${kind === 'known' ? 'k' : 'u'}${String(n % ACCOUNTS).padStart(4, '0')}@example.com`
}

/** Writes the accounts beside the server: hashing as many passwords would take long. */
function addAccounts({ dataDir }: ServerProcess, createdAt: number): void {
  for (let n = 0; n < ACCOUNTS; n += 1) {
    const email = addressOf('known', n)
    execute(
      dataDir,
      `INSERT INTO accounts (id, username, username_key, password_hash, roles, hard_position, created_at,
                             email, email_key, email_verified_at)
       SELECT ?, ?, ?, password_hash, '[]', 0, ?, ?, ?, ? FROM accounts WHERE username = ?`,
      `acct_${String(n).padStart(22, '0')}`,
      `person${n}`,
      `person${n}`,
      createdAt,
      email,
      email,
      createdAt,
      ADMIN.username,
    )
  }
}

/** Returns a function that logs in again before the token expires. */
function bearerOf(client: HttpClient): Asks['bearer'] {
  let token = ''
  let until = 0
  return async () => {
    if (performance.now() > until) {
      token = (await client.login(ADMIN)).access
      until = performance.now() + 120_000
    }
    return `Bearer ${token}`
  }
}

/** The parts of an answer that may not depend on the address. Random values count by their length. */
function shapeOf({ status, headers, text }: HttpAnswer): string {
  const { date: _, ...others } = headers
  return JSON.stringify([status, others, text]).replaceAll(/[\w-]{22,}/g, (random) =>
    'x'.repeat(random.length),
  )
}

interface Samples {
  readonly answer: Readonly<Record<Kind, number[]>>
  readonly next: Readonly<Record<Kind, number[]>>
  readonly shapes: Readonly<Record<Kind, Set<string>>>
}

/** Asks for each kind in random order, one request at a time. */
async function sample({ ask }: Flow, asks: Asks): Promise<Samples> {
  const samples: Samples = {
    answer: { known: [], unknown: [] },
    next: { known: [], unknown: [] },
    shapes: { known: new Set(), unknown: new Set() },
  }
  for (let round = -WARM_UP; round < TRIES; round += 1) {
    for (const kind of shuffled(KINDS)) {
      await asks.bearer()
      const start = performance.now()
      const answer = await ask(asks, addressOf(kind, round + WARM_UP))
      const answered = performance.now()
      expect((await asks.client.get('/auth/csrf')).status).toBe(200)
      const end = performance.now()
      expect(answer.status).toBe(202)
      samples.shapes[kind].add(shapeOf(answer))
      if (round < 0) continue
      samples.answer[kind].push(answered - start)
      samples.next[kind].push(end - answered)
    }
  }
  return samples
}

function leaksOf(path: string, { answer, next }: Samples): string[] {
  const kinds = KINDS
  const pairs = [
    { what: path, times: answer, mediansDifferMax: ANSWERS_DIFFER_MAX },
    { what: `the request after ${path}`, times: next, mediansDifferMax: NEXT_DIFFER_MAX },
  ]
  return pairs
    .filter(({ what, times, mediansDifferMax }) =>
      isLeak({ what, kinds, samples: [times.known, times.unknown], mediansDifferMax }),
    )
    .map(({ what }) => what)
}

test.each(FLOWS)(
  'P01 an answer of $path tells nothing of the account, nor does the next one',
  async (flow) => {
    await using smtp = await openSmtpServer()
    await using server = await startServerProcess({
      env: {
        COUNTERSIGN_SIGN_UP: 'true',
        COUNTERSIGN_SIGN_UP_VERIFIED: 'true',
        COUNTERSIGN_MAIL_LOGIN: 'true',
        COUNTERSIGN_SMTP_URL: smtp.url,
        COUNTERSIGN_MAIL_FROM: 'no-reply@auth.example.com',
      },
    })
    addAccounts(server, Date.now())
    const client = new HttpClient(server.url, 1)
    const asks: Asks = { client, bearer: bearerOf(client) }
    let leaks: readonly string[] = []
    for (let attempt = 0; attempt <= RETRIES; attempt += 1) {
      const samples = await sample(flow, asks)
      // Every answer of both kinds has one shape.
      expect(samples.shapes.known.size).toBe(1)
      expect(samples.shapes.unknown).toEqual(samples.shapes.known)
      leaks = leaksOf(flow.path, samples)
      if (leaks.length === 0) break
    }
    client.close()
    expect(leaks).toEqual([])
    // Mails were sent, otherwise their times would prove nothing.
    expect(smtp.received.length).toBeGreaterThan(TRIES / 4)
    expect(new Set(smtp.received.flatMap(({ to }) => to)).size).toBeGreaterThan(1)
  },
  1_200_000,
)
