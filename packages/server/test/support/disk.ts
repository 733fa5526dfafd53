// Loaded with --import into a server and its threads. A commit waits while the file FROZEN exists, as it would for a
// frozen disk. The thread that commits ends if the file CRASH exists; the file is removed.
import { existsSync, rmSync } from 'node:fs'
import sqlite from 'node:sqlite'

const { FROZEN = '', CRASH = '' } = process.env
const { prototype } = sqlite.StatementSync
const run: unknown = Reflect.get(prototype, 'run')
if (typeof run !== 'function') throw new Error('StatementSync.run is no function')

Reflect.set(prototype, 'run', function (this: sqlite.StatementSync, ...values: unknown[]): unknown {
  if (this.sourceSQL === 'COMMIT') {
    while (existsSync(FROZEN)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    if (existsSync(CRASH)) {
      rmSync(CRASH)
      process.exit(1)
    }
  }
  return Reflect.apply(run, this, values)
})
