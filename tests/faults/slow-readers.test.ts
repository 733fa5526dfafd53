import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'

import { HttpClient } from '../../packages/server/test/support/http-client.ts'
import { sized } from '../../packages/server/test/support/long.ts'
import { ADMIN, startServerProcess } from '../../packages/server/test/support/server-process.ts'
import { createServiceAccount, Service } from '../revocation/service.ts'
import { HonestLoad } from './honest-load.ts'
import { recordFault } from './record.ts'

const STALLED = sized(4, 12)
const DEAD = sized(4, 12)
const LOG_OUTS = sized(100, 1_000)
const MEMORY_GROWN_MIB_MAX = 200

function memoryMib(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

test(`${STALLED} stalled and ${DEAD} killed guards do not delay a revocation at a healthy one`, async () => {
  await using server = await startServerProcess()
  const issuer = server.url.replace('127.0.0.1', 'localhost')
  const feed = createServiceAccount(server.dataDir)
  await using healthy = await Service.start({ issuer, feed })
  const others = await Promise.all(
    Array.from({ length: STALLED + DEAD }, () => Service.start({ issuer, feed })),
  )
  const http = new HttpClient(server.url)
  try {
    for (const [index, each] of others.entries()) {
      each.signal(index < STALLED ? 'SIGSTOP' : 'SIGKILL')
    }
    const before = memoryMib(server.child.pid)
    const load = new HonestLoad(server.url, { refreshers: 2, loginClients: 4 })
    await load.start()
    await load.untilMore({ logOuts: LOG_OUTS })
    await load.stop()
    const grownMib = memoryMib(server.child.pid) - before

    const delays: number[] = []
    for (let n = 0; n < 20; n += 1) {
      const pair = await http.login(ADMIN)
      expect(await healthy.verify(pair.access, 'strict')).toBe('ok')
      await http.post('/api/token/blacklist/', { refresh: pair.refresh })
      const from = performance.now()
      await expect
        .poll(() => healthy.verify(pair.access, 'strict'), { interval: 5, timeout: 10_000 })
        .toBe('session_ended')
      delays.push(performance.now() - from)
    }
    expect(load.failed).toEqual({ busy: 0, unanswered: 0 })
    expect(grownMib).toBeLessThan(MEMORY_GROWN_MIB_MAX)
    load.expectNothingLost(server.dataDir)
    load.close()
    const worst = Math.round(Math.max(...delays))
    recordFault('readers', {
      fault: `${STALLED} guards stopped and ${DEAD} killed while ${LOG_OUTS} sessions were logged out`,
      outcome: `a healthy guard rejected each logged-out token within ${worst} ms`,
    })
  } finally {
    http.close()
    for (const each of others) await each[Symbol.asyncDispose]()
  }
})
