import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { execute, query } from './support/database.ts'
import { HttpClient } from './support/http-client.ts'
import { sized } from './support/long.ts'
import { ADMIN, freePort, startServerProcess } from './support/server-process.ts'
import { openSmtpServer, type SmtpTestServer } from './support/smtp-server.ts'

const ROUNDS = sized(6, 40)
const EMAIL = 'admin@example.com'

async function codeIn(smtp: SmtpTestServer, before: number): Promise<string> {
  await expect.poll(() => smtp.received.length).toBeGreaterThan(before)
  const data = smtp.received.slice(before).map((mail) => mail.data)
  const [code] = /\b[B-Z]{4}-[B-Z]{4}\b/.exec(data.join('\n')) ?? []
  if (code === undefined) throw new Error('The mail has no code.')
  return code
}

interface After {
  readonly isChanged: boolean
  readonly isCodeLeft: boolean
  readonly notices: number
  readonly auditLines: number
}

function readAfter(dataDir: string, hashBefore: unknown): After {
  const [account] = query(dataDir, 'SELECT password_hash FROM accounts')
  return {
    isChanged: account?.['password_hash'] !== hashBefore,
    isCodeLeft: query(dataDir, 'SELECT id FROM mail_codes').length > 0,
    notices: query(dataDir, `SELECT id FROM mails WHERE kind = 'password_changed'`).length,
    auditLines: query(dataDir, `SELECT at FROM audit WHERE event = 'password_reset'`).length,
  }
}

test('P10 a kill during a reset leaves the whole reset or nothing of it', async () => {
  await using smtp = await openSmtpServer()
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-mail-kill-'))
  const port = await freePort()
  const env = {
    COUNTERSIGN_SMTP_URL: smtp.url,
    COUNTERSIGN_MAIL_FROM: 'no-reply@auth.example.com',
  }
  let password: string = ADMIN.password
  let resets = 0
  /** How long the first reset took. The other kills come after a part of it, around its end. */
  let resetMs = 0
  const seen = { acknowledged: 0, silent: 0, nothing: 0 }
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const next = `the password of round ${round}`
      await using server = await startServerProcess({ dataDir, port, env })
      if (round === 0) {
        execute(
          dataDir,
          'UPDATE accounts SET email = ?, email_key = ?, email_verified_at = 1',
          EMAIL,
          EMAIL,
        )
      }
      const client = new HttpClient(server.url)
      const session = await client.login({ username: ADMIN.username, password })
      const [{ password_hash: hash } = {}] = query(dataDir, 'SELECT password_hash FROM accounts')
      const before = smtp.received.length
      const asked = await client.post('/auth/password/forgot', { email: EMAIL })
      const { ticket } = JSON.parse(asked.text) as { ticket: string }
      // Notices of earlier rounds may come first. They have no code.
      await expect
        .poll(() => smtp.received.slice(before).some(({ data }) => /[B-Z]{4}-[B-Z]{4}/.test(data)))
        .toBe(true)
      const code = await codeIn(smtp, before)

      const body = { ticket, code, password: next }
      const answer = client.post('/auth/password/reset', body).then(
        ({ status }) => status,
        () => undefined,
      )
      if (round === 0) {
        const start = performance.now()
        await answer
        resetMs = performance.now() - start
      } else await sleep((1.3 * resetMs * (round - 1)) / (ROUNDS - 2))
      await server.stop('SIGKILL')
      const status = await answer
      client.close()

      const after = readAfter(dataDir, hash)
      if (status !== undefined) expect([status, after.isChanged]).toEqual([204, true])
      if (after.isChanged) {
        password = next
        resets += 1
      }
      // The code, the audit and the notice agree with the password.
      expect(after.isCodeLeft).toBe(!after.isChanged)
      expect([after.auditLines, after.notices]).toEqual([resets, resets])
      seen[status === 204 ? 'acknowledged' : after.isChanged ? 'silent' : 'nothing'] += 1

      await using again = await startServerProcess({ dataDir, port, env })
      const restarted = new HttpClient(again.url)
      const refreshed = await restarted.post('/api/token/refresh/', { refresh: session.refresh })
      expect(refreshed.status).toBe(after.isChanged ? 401 : 200)
      const used = await restarted.post('/auth/password/reset', body)
      expect(used.status).toBe(after.isChanged ? 400 : 204)
      if (!after.isChanged) {
        password = next
        resets += 1
      }
      await restarted.login({ username: ADMIN.username, password })
      restarted.close()
      await again.stop()
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
  console.log(`kills during a reset: ${JSON.stringify(seen)}`)
  // Kills that all come too early or too late would prove nothing.
  expect(seen.nothing).toBeGreaterThan(0)
  expect(seen.acknowledged + seen.silent).toBeGreaterThan(0)
})
