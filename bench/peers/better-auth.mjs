import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'

import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node'
import express from 'express'
import pg from 'pg'

// better-auth with e-mail and password, on SQLite or PostgreSQL. Three instances share one database: one renews the
// session at each `getSession`, one is as by default, and one has the cookie cache. Each has its own port, and the last
// two also have a protected route in Express. Creates the accounts, sends the cookies of each to its parent, and serves
// until it is killed. Argument: number of accounts.

process.once('disconnect', () => process.exit())
const [accounts = '0'] = process.argv.slice(2)
const { POSTGRES_SOCKETS, POSTGRES_PORT, SQLITE_PATH, SQLITE_SYNCHRONOUS, ACCOUNT_PASSWORD } =
  process.env

const database = POSTGRES_SOCKETS === undefined ? openSqlite() : openPostgres()

function openSqlite() {
  const db = new DatabaseSync(SQLITE_PATH)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec(`PRAGMA synchronous = ${SQLITE_SYNCHRONOUS}`)
  return db
}

function openPostgres() {
  return new pg.Pool({
    host: POSTGRES_SOCKETS,
    port: Number(POSTGRES_PORT),
    user: 'postgres',
    database: 'better_auth',
  })
}

function optionsOf(session) {
  return {
    baseURL: 'http://127.0.0.1',
    secret: 'only for benchmarks, only for benchmarks, only for benchmarks',
    database,
    emailAndPassword: { enabled: true },
    // All load comes from one address.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: 'error' },
    session,
  }
}

const renewing = betterAuth(optionsOf({ updateAge: 0 }))
const plain = betterAuth(optionsOf({}))
const cached = betterAuth(optionsOf({ cookieCache: { enabled: true, maxAge: 3_600 } }))

await (await getMigrations(plain.options)).runMigrations()
const cookies = []
for (let index = 0; index < Number(accounts); index += 1) {
  const { headers } = await cached.api.signUpEmail({
    body: {
      email: `user${index}@bench.example`,
      password: ACCOUNT_PASSWORD,
      name: `User ${index}`,
    },
    returnHeaders: true,
  })
  cookies.push(
    headers
      .getSetCookie()
      .map((cookie) => cookie.slice(0, cookie.indexOf(';')))
      .join('; '),
  )
}
process.send({
  cookies,
  ports: {
    renewing: await listen(toNodeHandler(renewing)),
    plain: await listen(toNodeHandler(plain)),
    me: await listen(protectedBy(plain)),
    meCached: await listen(protectedBy(cached)),
  },
})

function protectedBy(auth) {
  const app = express()
  // Express 5 handles a promise that rejects.
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers
  app.get('/me', async (request, response) => {
    const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
    if (session === null) response.status(401).json({ ok: false })
    else response.json({ ok: true })
  })
  return app
}

function listen(answer) {
  const server = createServer((request, response) => void answer(request, response))
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port))
  })
}
