// Loaded with --import before a command runs. It stops or watches the command at each of its steps on the disk:
// KILL_AT_STEP=n kills the process before its nth step. SNAPSHOTS=DIRECTORY copies the data directory there before each
// step, as a kill at that moment would leave it. HELD_BY=FILE waits until that file is gone before a file gets the name
// of the database.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import sqlite from 'node:sqlite'

const { KILL_AT_STEP, SNAPSHOTS, HELD_BY, COUNTERSIGN_DATA_DIR = '' } = process.env
const { existsSync } = fs
let steps = 0

function step(name: string, args: readonly unknown[]): void {
  steps += 1
  if (steps === Number(KILL_AT_STEP)) process.kill(process.pid, 'SIGKILL')
  // Another program copies: this process would lose its locks on files that it opens and closes.
  if (SNAPSHOTS !== undefined) {
    const copied = spawnSync('cp', ['-a', COUNTERSIGN_DATA_DIR, join(SNAPSHOTS, String(steps))])
    if (copied.status !== 0) throw new Error('The snapshot failed.')
  }
  if (name !== 'renameSync' || !String(args[1]).endsWith('countersign.db')) return
  const held = HELD_BY ?? ''
  while (existsSync(held)) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
}

function watch(object: object, names: readonly string[]): void {
  for (const name of names) {
    const original: unknown = Reflect.get(object, name)
    if (typeof original !== 'function') throw new Error(`${name} is no function`)
    const watched = function (this: unknown, ...args: unknown[]): unknown {
      step(name, args)
      return Reflect.apply(original, this, args)
    }
    Reflect.set(object, name, watched)
  }
}

watch(fs, ['chmodSync', 'fsyncSync', 'linkSync', 'mkdirSync', 'openSync', 'renameSync', 'rmSync'])
watch(fs, ['writeSync'])
watch(sqlite.DatabaseSync.prototype, ['exec', 'close'])
watch(sqlite.StatementSync.prototype, ['get', 'run'])
syncBuiltinESMExports()
