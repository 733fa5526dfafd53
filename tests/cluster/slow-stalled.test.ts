import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import type { Pair } from '../../packages/server/test/support/authority.ts'
import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { ADMIN } from '../../packages/server/test/support/server-process.ts'
import { describeWith } from '../support/requirements.ts'
import { startCluster } from './cluster.ts'
import { bodyOf } from './people.ts'

/** More requests than a socket accepts in one turn. */
const GIVEN_UP = 20

describeWith('cluster', 'a node that stood still', () => {
  test('ignores refreshes that their client gave up meanwhile, and sent to another node', async () => {
    await using it = await startCluster({ nodes: 2, env: { COUNTERSIGN_ROTATION_GRACE: '0s' } })
    const [stalled, other] = it.nodes
    const http = new HttpClient(other!.url)
    let { refresh } = await http.login(ADMIN)

    stalled!.pause()
    for (let n = 0; n < GIVEN_UP; n += 1) {
      const socket = connect(stalled!.port, '127.0.0.1')
      await once(socket, 'connect')
      const body = JSON.stringify({ refresh })
      socket.end(
        `POST /api/token/refresh/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      await once(socket, 'finish')
      socket.destroy()
    }
    for (let n = 0; n < 2; n += 1) {
      const answer = await http.post('/api/token/refresh/', { refresh })
      refresh = bodyOf<Pair>(answer).refresh
    }
    await sleep(1_500)
    stalled!.resume()
    // It has worked on everything that waited.
    expect((await fetch(`${stalled!.url}/readyz`)).status).toBe(200)
    await sleep(1_000)

    const rows = await it.query('SELECT generation, ended_at FROM sessions')
    expect(rows).toEqual([{ generation: '2', ended_at: null }])
    bodyOf<Pair>(await http.post('/api/token/refresh/', { refresh }))
    http.close()
  })
})
