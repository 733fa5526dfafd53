import { createServer, type Socket } from 'node:net'

import { freePort } from '../../../../scripts/lib/processes.ts'

/** The points at which a server can misbehave. `accepted` is after the acknowledgement was sent. */
export type SmtpStep = 'connect' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'message' | 'accepted'

/** The behaviour of the server at a step: an answer, or `drop` (closes the connection), or `hang` (no answer). Undefined: all is well. */
export type Behaviour = string | undefined

/** A message that the server has read completely. */
export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  /** With the line breaks of SMTP. */
  readonly data: string
  readonly messageId: string
  /** Whether its acknowledgement was sent. */
  acknowledged: boolean
}

/** A real SMTP server on a real socket whose faults a test chooses. */
export interface SmtpTestServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** All messages that were read completely, in their order. */
  readonly received: readonly ReceivedMail[]
  /** The number of connections. */
  readonly connections: number
  /** Decides at each step. `nth` counts how often the step was reached, from 1. */
  behave: (step: SmtpStep, nth: number) => Behaviour
  /** Stops listening and drops all connections. */
  stop(): Promise<void>
  /** Listens again on the same port. */
  start(): Promise<void>
}

const ANSWERS: Readonly<Record<SmtpStep, string>> = {
  connect: '220 test ESMTP',
  EHLO: '250 test',
  MAIL: '250 2.1.0 ok',
  RCPT: '250 2.1.5 ok',
  DATA: '354 go on',
  message: '250 2.0.0 queued',
  accepted: '',
}

export async function openSmtpServer(
  behave: SmtpTestServer['behave'] = () => undefined,
): Promise<SmtpTestServer> {
  const received: ReceivedMail[] = []
  const sockets = new Set<Socket>()
  const counts = new Map<SmtpStep, number>()
  // No other program takes it while this server is stopped.
  const port = await freePort()
  let connections = 0

  /** Returns whether the dialogue goes on. */
  const step = (socket: Socket, name: SmtpStep): boolean => {
    const nth = (counts.get(name) ?? 0) + 1
    counts.set(name, nth)
    const answer = it.behave(name, nth) ?? ANSWERS[name]
    if (answer === 'hang') return false
    if (answer === 'drop') {
      socket.destroy()
      return false
    }
    if (answer !== '') socket.write(`${answer}\r\n`)
    return /^[23]/.test(answer)
  }

  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    talk(socket, (name) => step(socket, name), received)
  })

  const it: SmtpTestServer = {
    port,
    url: `smtp://127.0.0.1:${port}`,
    received,
    get connections() {
      return connections
    },
    behave,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, '127.0.0.1', resolve)
      }),
    async [Symbol.asyncDispose]() {
      if (server.listening) await it.stop()
    },
  }
  await it.start()
  return it
}

function talk(socket: Socket, step: (name: SmtpStep) => boolean, received: ReceivedMail[]): void {
  let buffered = ''
  let from = ''
  let to: string[] = []
  let inData = false
  if (!step('connect')) return

  const command = (line: string): void => {
    const verb = line.slice(0, 4).toUpperCase()
    const path = /<([^>]*)>/.exec(line)?.[1] ?? ''
    if (verb === 'EHLO' || verb === 'HELO') step('EHLO')
    else if (verb === 'MAIL') {
      from = path
      to = []
      step('MAIL')
    } else if (verb === 'RCPT') {
      if (step('RCPT')) to.push(path)
    } else if (verb === 'DATA') inData = step('DATA')
    else if (verb === 'QUIT') socket.end('221 bye\r\n')
    else socket.write('250 ok\r\n')
  }

  const message = (data: string): void => {
    const messageId = /^Message-ID: (<[^>]*>)/im.exec(data)?.[1] ?? ''
    const mail: ReceivedMail = { from, to, data, messageId, acknowledged: false }
    received.push(mail)
    mail.acknowledged = step('message')
    if (mail.acknowledged) step('accepted')
  }

  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    buffered += chunk
    for (;;) {
      const end = buffered.indexOf(inData ? '\r\n.\r\n' : '\r\n')
      if (end === -1) return
      const part = buffered.slice(0, end)
      buffered = buffered.slice(end + (inData ? 5 : 2))
      if (inData) {
        inData = false
        message(part)
      } else command(part)
    }
  })
}
