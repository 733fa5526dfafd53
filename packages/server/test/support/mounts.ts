import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether this user may mount file systems, as root can in most containers. A small tmpfs is a disk that is really full. */
export function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'countersign-mount-'))
  const isDone = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path]).status === 0
  if (isDone) spawnSync('umount', [path])
  rmSync(path, { recursive: true })
  return isDone
}
