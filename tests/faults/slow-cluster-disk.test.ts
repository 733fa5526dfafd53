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
      await breakUnderLoad(it, {
        name: 'cluster-postgres-disk-full',
        fault: `three nodes on PostgreSQL: its disk full for ${LASTS_MS / 1000} s after the first write failed`,
        async breakAndMend(load) {
          disk.fill()
          // Tables and the log of PostgreSQL have some space left, which the load uses up.
          await expect.poll(() => load.failed.busy).toBeGreaterThan(0)
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
    })
  },
)
