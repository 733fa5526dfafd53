import { HttpConnection, type RawAnswer } from './http-connection.ts'
import { PASSWORD } from './password.ts'
import { ACCOUNTS } from './seed.ts'
import type { BenchServer } from './server.ts'

export type Operation = 'refresh' | 'login' | 'logout'

/** Nodes on one database, and refresh tokens of its sessions. */
export interface System {
  readonly name: string
  readonly nodes: readonly BenchServer[]
  /** Each is replaced by its successor. */
  readonly chained: string[]
  /** Each is used once, from the end. */
  readonly logouts: string[]
}

let logins = 0

/**
 * Sends requests of one kind for that long, over kept-alive connections that are spread evenly over the nodes. Returns
 * the rate and the milliseconds of each request. Throws for any status but 200.
 */
export async function takeTurn(
  { nodes, chained, logouts }: System,
  operation: Operation,
  connections: number,
  ms: number,
): Promise<{ readonly perSec: number; readonly latencies: readonly number[] }> {
  const latencies: number[] = []
  const opened = await Promise.all(
    Array.from({ length: connections }, (_, worker) =>
      HttpConnection.open(nodes[worker % nodes.length]?.port ?? 0),
    ),
  )
  const step = async (connection: HttpConnection, index: number): Promise<RawAnswer> => {
    if (operation === 'login') {
      const username = `user${(logins += 1) % ACCOUNTS}`
      return connection.post('/api/token/', JSON.stringify({ username, password: PASSWORD }))
    }
    const refresh = operation === 'logout' ? logouts.pop() : chained[index]
    const path = operation === 'logout' ? '/api/token/blacklist/' : '/api/token/refresh/'
    const answer = await connection.post(path, `{"refresh":"${refresh}"}`)
    if (operation === 'refresh') {
      chained[index] = answer.body.slice(answer.body.lastIndexOf(':"') + 2, -2)
    }
    return answer
  }
  const started = performance.now()
  await Promise.all(
    opened.map(async (connection, worker) => {
      for (let index = worker; performance.now() - started < ms; index += connections) {
        if (index >= chained.length) index = worker
        if (operation === 'logout' && logouts.length === 0) break
        const sent = performance.now()
        const { status, body } = await step(connection, index)
        if (status !== 200) throw new Error(`a ${operation} answered ${status}: ${body}`)
        latencies.push(performance.now() - sent)
      }
      connection.close()
    }),
  )
  return { perSec: (latencies.length * 1000) / (performance.now() - started), latencies }
}
