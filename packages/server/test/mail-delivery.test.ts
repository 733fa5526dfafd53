import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import type { Store } from '../src/store/store.ts'
import { StoreFault } from '../src/base/faults.ts'
import { openTestMail, QUICK, SENDER, type TestMail } from './support/mail.ts'
import { openSmtpServer, type SmtpStep } from './support/smtp-server.ts'

async function areSent(mail: TestMail): Promise<boolean> {
  return (await mail.states()).every((state) => state.startsWith('sent'))
}

const WAIT = { timeout: 15_000, interval: 10 }

test('a mail is handed over once, with both bodies, and its values are erased', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  const id = await mail.post()
  await expect.poll(() => mail.states(), WAIT).toEqual(['sent'])
  expect(smtp.received).toHaveLength(1)
  const [received] = smtp.received
  expect(received).toMatchObject({
    from: SENDER.address,
    to: ['alice@example.com'],
    messageId: `<${id}@auth.example.com>`,
  })
  expect(received?.data).toContain('To: alice@example.com')
  expect(received?.data).toContain('Subject: Set a new password for localhost:8000')
  expect(received?.data).toContain('Auto-Submitted: auto-generated')
  expect(received?.data).toMatch(/text\/plain[^]*WDJB-MJHT[^]*text\/html[^]*WDJB-MJHT/)
  const log = JSON.stringify(mail.lines)
  expect(log).toContain('"event":"mail_sent"')
  expect(log).not.toMatch(/alice|WDJB|secret/)
})

test('a decoy is deleted and nothing is sent', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail()
  const values = { code: 'WDJB-MJHT', url: 'https://a.example', expiresAt: Date.now() + 60_000 }
  const decoy = { to: undefined, accountId: undefined, values }
  await mail.store.mail.add([mail.mailer.compose('login_code', decoy, Date.now())])
  mail.deliver(smtp.url)
  await expect.poll(() => mail.store.mail.nextDueAt(), WAIT).toBeUndefined()
  expect(smtp.connections).toBe(0)
  expect(mail.lines).toEqual([])
})

test('mails that were written while the server was down are sent when it is back', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail()
  await smtp.stop()
  mail.deliver(smtp.url)
  for (let n = 0; n < 10; n += 1) await mail.post(`user${n}@example.com`)
  await expect
    .poll(() => mail.lines.filter(({ event }) => event === 'mail_retried').length, WAIT)
    .toBeGreaterThan(10)
  expect(mail.lines[0]).toMatchObject({ reason: 'connection_failed' })
  await smtp.start()
  await expect.poll(() => areSent(mail), WAIT).toBe(true)
  expect(new Set(smtp.received.map(({ to }) => to[0])).size).toBe(10)
  expect(smtp.received).toHaveLength(10)
})

const TEMPORARY: readonly (readonly [step: SmtpStep, answer: string, reason: string])[] = [
  ['connect', '421 4.3.2 busy', 'smtp_421_4.3.2'],
  ['connect', '554 no service', 'smtp_554'],
  ['MAIL', '421 closing', 'smtp_421'],
  ['MAIL', '530 5.7.0 log in first', 'smtp_530_5.7.0'],
  ['RCPT', '450 4.2.0 greylisted', 'smtp_450_4.2.0'],
  ['RCPT', '452 4.3.1 full', 'smtp_452_4.3.1'],
  ['DATA', '451 try later', 'smtp_451'],
  ['message', '452 4.3.1 full', 'smtp_452_4.3.1'],
  ['message', '421 4.3.2 closing', 'smtp_421_4.3.2'],
  ['connect', 'hang', 'timeout'],
  ['RCPT', 'hang', 'timeout'],
  ['connect', 'drop', 'connection_failed'],
  ['RCPT', 'drop', 'connection_failed'],
  ['DATA', 'drop', 'connection_failed'],
]

test.each(TEMPORARY)('after %s: %s, the mail is retried', async (step, answer, reason) => {
  await using smtp = await openSmtpServer((at, nth) =>
    at === step && nth <= 2 ? answer : undefined,
  )
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  await mail.post()
  await expect.poll(() => mail.states(), WAIT).toEqual([`sent ${reason}`])
  expect(smtp.received.filter(({ acknowledged }) => acknowledged)).toHaveLength(1)
  const retried = mail.lines.filter(({ event }) => event === 'mail_retried')
  expect(retried.map((line) => line['reason'])).toEqual([reason, reason])
})

const PERMANENT: readonly (readonly [step: SmtpStep, answer: string, reason: string])[] = [
  ['RCPT', '550 5.1.1 <alice@example.com> unknown', 'smtp_550_5.1.1'],
  ['MAIL', '553 not allowed', 'smtp_553'],
  ['DATA', '554 no valid recipients', 'smtp_554'],
  ['message', '550 5.7.1 spam', 'smtp_550_5.7.1'],
]

test.each(PERMANENT)('after %s: %s, the mail has failed for good', async (step, answer, reason) => {
  await using smtp = await openSmtpServer((at) => (at === step ? answer : undefined))
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  await mail.post()
  await expect.poll(() => mail.states(), WAIT).toEqual([`failed ${reason}`])
  expect(smtp.connections).toBe(1)
  expect(mail.lines).toMatchObject([{ event: 'mail_failed', reason, attempt: 1 }])
  expect(JSON.stringify(mail.lines)).not.toContain('alice')
})

test('a lost connection after DATA is retried with the same Message-ID and date', async () => {
  await using smtp = await openSmtpServer((at, nth) =>
    at === 'message' && nth === 1 ? 'drop' : undefined,
  )
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  const id = await mail.post()
  await expect.poll(() => mail.states(), WAIT).toEqual(['sent connection_failed'])
  expect(smtp.received.map(({ acknowledged }) => acknowledged)).toEqual([false, true])
  expect(smtp.received.map(({ messageId }) => messageId)).toEqual(
    Array(2).fill(`<${id}@auth.example.com>`),
  )
  const [first, second] = smtp.received.map(({ data }) => /^Date: .*$/m.exec(data)?.[0])
  expect(first).toMatch(/^Date: \w/)
  expect(second).toBe(first)
})

test('a connection that is lost after the acknowledgement causes no second mail', async () => {
  await using smtp = await openSmtpServer((at) => (at === 'accepted' ? 'drop' : undefined))
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  for (let n = 0; n < 5; n += 1) await mail.post()
  await expect.poll(() => mail.states(), WAIT).toEqual(Array(5).fill('sent'))
  expect(smtp.received).toHaveLength(5)
})

test('a server that answers a byte at a time is given up after the whole time', async () => {
  let trickle: NodeJS.Timeout | undefined
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail({ smtp: { silenceMs: 500, totalMs: 700 } })
  const { createServer } = await import('node:net')
  const slow = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('220-slow\r\n')
    trickle = setInterval(() => socket.write('220-slow\r\n'), 50)
    socket.on('close', () => clearInterval(trickle))
  })
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve))
  const address = slow.address()
  const worker = mail.deliver(`smtp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
  await mail.post()
  await expect.poll(() => mail.lines.map((line) => line['reason']), WAIT).toContain('timeout')
  await worker.close()
  mail.deliver(smtp.url)
  await expect.poll(() => areSent(mail), WAIT).toBe(true)
  clearInterval(trickle)
  await new Promise((resolve) => slow.close(resolve))
  expect(smtp.received).toHaveLength(1)
})

/** A store whose records of sent mails fail while `isBroken`. */
function breakable(store: Store): {
  readonly seen: Pick<Store, 'mail' | 'watch'>
  isBroken: boolean
  refused: number
} {
  const it = {
    isBroken: true,
    refused: 0,
    seen: {
      watch: (changed: (mayHaveEntries: boolean) => void) => store.watch(changed),
      mail: {
        ...store.mail,
        noteSent: async (id: string, now: number) => {
          if (!it.isBroken) return store.mail.noteSent(id, now)
          it.refused += 1
          throw new StoreFault('The database is down.')
        },
      },
    },
  }
  return it
}

test('an acknowledged mail is not sent again while the store cannot record it', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail({ times: { leaseMs: 50 } })
  const broken = breakable(mail.store)
  mail.deliver(smtp.url, { store: broken.seen })
  await mail.post()
  // Several leases end meanwhile.
  await expect.poll(() => broken.refused, WAIT).toBeGreaterThan(10)
  expect(await mail.states()).toEqual(['waiting'])
  broken.isBroken = false
  await expect.poll(() => mail.states(), WAIT).toEqual(['sent'])
  expect(smtp.received).toHaveLength(1)
})

test('a worker that dies between hand-over and record leaves a mail that is repeated with its id', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail({ times: { leaseMs: 300 } })
  const broken = breakable(mail.store)
  const first = mail.deliver(smtp.url, { store: broken.seen })
  const id = await mail.post()
  await expect.poll(() => broken.refused, WAIT).toBeGreaterThan(0)
  await first.close()
  mail.deliver(smtp.url)
  await expect.poll(() => mail.states(), WAIT).toEqual(['sent'])
  expect(smtp.received.map(({ messageId }) => messageId)).toEqual(
    Array(2).fill(`<${id}@auth.example.com>`),
  )
})

test('a worker that dies before the hand-over loses nothing', async () => {
  await using smtp = await openSmtpServer((at, nth) =>
    at === 'RCPT' && nth <= 4 ? 'hang' : undefined,
  )
  await using mail = await openTestMail({ smtp: { silenceMs: 60_000, totalMs: 60_000 } })
  const first = mail.deliver(smtp.url)
  for (let n = 0; n < 8; n += 1) await mail.post()
  await expect.poll(() => smtp.connections, WAIT).toBe(4)
  await first.close()
  expect(smtp.received).toHaveLength(0)
  mail.deliver(smtp.url)
  await expect.poll(() => areSent(mail), WAIT).toBe(true)
  expect(smtp.received).toHaveLength(8)
})

test('a mail that is written during a look into the outbox is sent soon after', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail({ times: { lookMs: 600_000, repairMs: 600_000 } })
  const { store } = mail
  let endLook = (): void => undefined
  const look = new Promise<void>((resolve) => (endLook = resolve))
  let looks = 0
  // The first look finds nothing, and its answer arrives after the mail was written.
  const claim: Store['mail']['claim'] = async (...values) => {
    const claimed = await store.mail.claim(...values)
    if ((looks += 1) === 1) await look
    return claimed
  }
  const nextDueAt: Store['mail']['nextDueAt'] = () =>
    looks === 1 ? Promise.resolve(undefined) : store.mail.nextDueAt()
  let watched = 0
  const watch: Store['watch'] = (changed) =>
    store.watch((mayHaveEntries) => {
      changed(mayHaveEntries)
      watched += 1
    })
  mail.deliver(smtp.url, { store: { watch, mail: { ...store.mail, claim, nextDueAt } } })
  await expect.poll(() => looks, WAIT).toBe(1)
  await mail.post()
  await expect.poll(() => watched, WAIT).toBeGreaterThanOrEqual(1)
  // Until the worker has noticed that it looks already.
  await sleep(4 * QUICK.delayMs)
  endLook()
  await expect.poll(() => mail.states(), WAIT).toEqual(['sent'])
})

test('two workers share the outbox and send each mail once', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail({ times: { leaseMs: 60_000 } })
  for (let n = 0; n < 40; n += 1) await mail.post(`user${n}@example.com`)
  mail.deliver(smtp.url)
  mail.deliver(smtp.url)
  // On a busy machine an attempt may fail and be repeated.
  const sent: unknown = expect.stringMatching(/^sent/)
  await expect.poll(() => mail.states(), WAIT).toEqual(Array(40).fill(sent))
  expect(smtp.received).toHaveLength(40)
  expect(new Set(smtp.received.map(({ messageId }) => messageId)).size).toBe(40)
})

test('a mail is given up when its code has expired', async () => {
  await using smtp = await openSmtpServer(() => '421 busy')
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  await mail.post('late@example.com', 100)
  // On a busy machine the last attempt may begin too late.
  const givenUp = expect.stringMatching(/^failed (?:smtp_421|too_late)$/)
  await expect.poll(() => mail.states(), WAIT).toEqual([givenUp])
  await mail.post('older@example.com', -1)
  await expect.poll(() => mail.states(), WAIT).toEqual([givenUp, 'failed too_late'])
})

test('close waits for a mail in flight', async () => {
  await using smtp = await openSmtpServer((at) => (at === 'message' ? 'hang' : undefined))
  await using mail = await openTestMail({ times: { closeMs: 10_000 } })
  const worker = mail.deliver(smtp.url)
  await mail.post()
  await expect.poll(() => smtp.received.length, WAIT).toBe(1)
  const closed = worker.close().then(() => 'closed')
  expect(await Promise.race([closed, Promise.resolve('open')])).toBe('open')
  await smtp.stop()
  expect(await closed).toBe('closed')
  expect(await mail.states()).toEqual(['waiting connection_failed'])
})

test('an address can never add a recipient or a command', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  await mail.post('a@example.com>\r\nRCPT TO:<evil@example.com')
  await mail.post('a@example.com, evil@example.com')
  await mail.post('evil@example.com <a@example.com>')
  await mail.post('group: evil@example.com;')
  await expect.poll(() => mail.states(), WAIT).toEqual(Array(4).fill('failed address_invalid'))
  expect(smtp.connections).toBe(0)
})

test('an international address arrives as it was given', async () => {
  await using smtp = await openSmtpServer()
  await using mail = await openTestMail()
  mail.deliver(smtp.url)
  await mail.post('jürgen@example.com')
  await expect.poll(() => mail.states(), WAIT).toEqual(['sent'])
  expect(smtp.received.map(({ to }) => to)).toEqual([['jürgen@example.com']])
})
