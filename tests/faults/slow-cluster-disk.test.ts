import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'

import { describe, expect, test } from 'vitest'

import { startCluster } from '../cluster/cluster.ts'
import { isPresent, requirements } from '../../scripts/setup-tests.ts'
import { startPostgres } from '../support/postgres.ts'
import { breakUnderLoad, lasting, LASTS_MS } from './cluster-load.ts'
import { TestDisk, whyNoDisk } from './disk.ts'

const why = isPresent(requirements.cluster)
  ? whyNoDisk()
  : `${requirements.cluster.name} is not installed`
describe.skipIf(why !== undefined)(
  `the disk of PostgreSQL${why === undefined ? '' : ` (NOT RUN: ${why})`}`,
  () => {
    test('while it is full, writes get 503, and go on without help when there is space', async () => {
      using disk = TestDisk.create(256)
      // PostgreSQL runs as another user.
      chmodSync(dirname(disk.path), 0o711)
      chmodSync(disk.path, 0o777)
      await using postgres = await startPostgres({
        inside: disk.path,
        // Few segments of the log in advance, so that it needs space soon.
        settings: { max_wal_size: '32MB', min_wal_size: '32MB' },
      })
      await using it = await startCluster({ postgres })
      const { load } = await breakUnderLoad(it, {
        name: 'cluster-postgres-disk-full',
        fault: `three nodes on PostgreSQL: its disk full for ${LASTS_MS / 1000} s after the first write failed`,
        async breakAndMend() {
          disk.fill()
          // Tables grow in steps of 8 KiB, so the first writes may find space.
          const refuses = async (): Promise<boolean> => {
            await postgres.query('CREATE TABLE IF NOT EXISTS filler (v text)').catch(() => {})
            const row = `INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 1000)`
            return postgres.query(row).then(
              () => false,
              () => true,
            )
          }
          await expect.poll(refuses).toBe(true)
          await lasting(
            () => {},
            async () => {
              disk.free()
              // A supervisor starts PostgreSQL again if it could not write its log. Does nothing if it runs.
              await postgres.start()
            },
          )
        },
      })
      expect(load.failed.busy).toBeGreaterThan(0)
    })
  },
)
