import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { request, type Agent, type RequestOptions } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'

import { HOST, type Front } from './front.ts'

/** An answer that came through nginx. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request of a test. A list of values makes several headers. */
export interface Question {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
  /** Default: a connection of its own. */
  readonly agent?: Agent
}

/** Options that connect to nginx under the host name of its configuration, and trust only its certificate. */
export function reach({ port, certificate }: Front): RequestOptions {
  return {
    host: '127.0.0.1',
    port,
    servername: HOST,
    ca: certificate.cert,
    // The certificate is for localhost.
    checkServerIdentity: () => undefined,
  }
}

/** Sends a request over HTTP/1.1. */
export function ask(front: Front, question: Question): Promise<Answer> {
  const { path, method = 'GET', body, agent = false } = question
  const headers = { host: HOST, ...question.headers } as Record<string, string | string[]>
  return new Promise((resolve, reject) => {
    const sent = request({ ...reach(front), path, method, headers, agent }, (answer) => {
      text(answer).then(
        (read) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: read }),
        reject,
      )
    })
    sent.once('error', reject).end(body)
  })
}

/** Sends requests over one connection of HTTP/2, all at once. */
export async function askHttp2(
  front: Front,
  questions: readonly Question[],
): Promise<readonly Answer[]> {
  const { port, certificate } = front
  const session = connectHttp2(`https://127.0.0.1:${port}`, {
    ca: certificate.cert,
    servername: HOST,
    checkServerIdentity: () => undefined,
  })
  const failed = new Promise<never>((_, reject) => session.once('error', reject))
  try {
    return await Promise.race([
      failed,
      Promise.all(questions.map((question) => send(session, question))),
    ])
  } finally {
    session.close()
  }
}

async function send(session: ClientHttp2Session, question: Question): Promise<Answer> {
  const { path, method = 'GET', headers, body } = question
  const stream = session.request({
    ':authority': HOST,
    ':path': path,
    ':method': method,
    ...(headers as OutgoingHttpHeaders | undefined),
  })
  const answered = new Promise<IncomingHttpHeaders & { ':status'?: number }>((resolve, reject) => {
    stream.once('response', resolve).once('error', reject)
  })
  stream.end(body)
  const received = await answered
  return { status: received[':status'] ?? 0, headers: received, body: await text(stream) }
}
