import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { setSynchronous, startReplica } from './postgres-replica.ts'
import { startPostgres, type Postgres } from './postgres.ts'
import { describeWith } from './requirements.ts'
import { TcpProxy } from './tcp-proxy.ts'

describeWith('postgres', 'a replica', () => {
  let primary: Postgres
  beforeAll(async () => void (primary = await startPostgres()))
  afterAll(() => primary[Symbol.asyncDispose]())
  beforeEach(async () => {
    await primary.query('DROP TABLE IF EXISTS kept')
    await primary.query('CREATE TABLE kept (n int)')
  })

  function write(server: Postgres, n: number): Promise<unknown> {
    return server.query('INSERT INTO kept VALUES ($1)', [n])
  }
  async function read(server: Postgres): Promise<number[]> {
    const rows = await server.query<{ n: number }>('SELECT n FROM kept ORDER BY n')
    return rows.map(({ n }) => n)
  }

  test('follows its primary, also after both were killed, and accepts no writes', async () => {
    await using replica = await startReplica(primary)
    await write(primary, 1)
    await replica.untilCaughtUp()
    expect(await read(replica)).toEqual([1])
    await expect(write(replica, 2)).rejects.toThrow('read-only transaction')
    await replica.kill()
    await primary.kill()
    await primary.start()
    await write(primary, 2)
    await replica.start()
    await replica.untilCaughtUp()
    expect(await read(replica)).toEqual([1, 2])
  })

  test('behind a cut network it lacks the last writes for ever once it is promoted', async () => {
    await using proxy = await TcpProxy.start(primary.port)
    await using replica = await startReplica(primary, { primaryPort: proxy.port })
    await write(primary, 1)
    await replica.untilCaughtUp()
    await proxy.cut('silence')
    await write(primary, 2)
    await replica.promote()
    expect(await read(replica)).toEqual([1])
    await write(replica, 3)
    expect(await read(replica)).toEqual([1, 3])
    expect(await read(primary)).toEqual([1, 2])
    await using next = await startReplica(replica)
    await next.untilCaughtUp()
    expect(await read(next)).toEqual([1, 3])
  })

  test('catches up after a cut network was restored', async () => {
    await using proxy = await TcpProxy.start(primary.port)
    await using replica = await startReplica(primary, { primaryPort: proxy.port })
    for (const [n, how] of [
      [1, 'refuse'],
      [2, 'silence'],
    ] as const) {
      await proxy.cut(how)
      await write(primary, n)
      expect(await read(replica)).not.toContain(n)
      await proxy.restore()
      await replica.untilCaughtUp()
      expect(await read(replica)).toContain(n)
    }
  })

  test('with paused replay it shows the last writes only once it is promoted', async () => {
    await using replica = await startReplica(primary)
    await replica.untilCaughtUp()
    await replica.query('SELECT pg_wal_replay_pause()')
    await write(primary, 1)
    expect(await read(replica)).toEqual([])
    await expect
      .poll(() =>
        replica.query('SELECT FROM pg_get_wal_replay_pause_state() AS s WHERE s = $1', ['paused']),
      )
      .toHaveLength(1)
    const received = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn')
    await expect
      .poll(() =>
        replica.query('SELECT FROM pg_last_wal_receive_lsn() AS l WHERE l >= $1', [
          received[0]?.lsn,
        ]),
      )
      .toHaveLength(1)
    await replica.promote()
    expect(await read(replica)).toEqual([1])
  })

  test('a synchronous replica has each commit, and commits wait for it', async () => {
    await using proxy = await TcpProxy.start(primary.port)
    await using replica = await startReplica(primary, {
      synchronous: true,
      primaryPort: proxy.port,
    })
    await write(primary, 1)
    await proxy.cut('silence')
    let isCommitted = false
    const writing = write(primary, 2).then(() => (isCommitted = true))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(isCommitted).toBe(false)
    await proxy.restore()
    await writing
    await primary.stop('immediate')
    await replica.promote()
    expect(await read(replica)).toEqual([1, 2])
    await primary.start()
  })

  test('commits wait for as many replicas as a quorum needs', async () => {
    await using one = await startReplica(primary)
    await using two = await startReplica(primary)
    await setSynchronous(primary, `ANY 1 (${one.name}, ${two.name})`)
    await one.kill()
    await write(primary, 1)
    await two.untilCaughtUp()
    expect(await read(two)).toEqual([1])
    await setSynchronous(primary, '')
  })
})
