import { chmodSync, closeSync, openSync, rmSync, statSync, type Stats } from 'node:fs'
import { join } from 'node:path'

import { SetupError } from './faults.ts'

/** A file or directory that another user can change or read, and the command that corrects it. */
export interface Exposure {
  readonly path: string
  /** A clause that follows the path: `belongs to another user (uid 1000)`. */
  readonly problem: string
  readonly run: string
}

/**
 * Says which other user can change a file or directory: its owner, if that is neither this user nor root, its group, or
 * everybody. Returns undefined if no other user can. Windows has no such modes.
 *
 * Many systems give each user a group with the same number, and let it write by default. Such a group has no other
 * member.
 */
export function findWriter(path: string): Exposure | undefined {
  const me = process.getuid?.()
  if (me === undefined) return undefined
  const { uid, gid, mode } = statSync(path)
  if (uid !== me && uid !== 0) {
    return { path, problem: `belongs to another user (uid ${uid})`, run: `chown ${me} ${path}` }
  }
  if ((mode & 0o002) !== 0) {
    return { path, problem: 'can be changed by other users', run: `chmod go-w ${path}` }
  }
  if ((mode & 0o020) !== 0 && gid !== uid) {
    return { path, problem: `can be changed by the group ${gid}`, run: `chmod g-w ${path}` }
  }
  return undefined
}

/**
 * Whether every user of the machine can change a file, or replace files in a directory. In a directory with the sticky
 * bit, as a tmpfs has it, they can only add files. False for a pipe or device.
 */
export function canEverybodyWrite(path: string): boolean {
  const found = statSync(path)
  const isSticky = (found.mode & 0o1000) !== 0
  const isReplaceable = found.isFile() || (found.isDirectory() && !isSticky)
  return process.getuid !== undefined && isReplaceable && (found.mode & 0o002) !== 0
}

/** Whether anybody but the owner has access to a path with these facts. */
export function isPrivate({ mode }: Stats): boolean {
  return process.getuid === undefined || (mode & 0o077) === 0
}

/** Advice for a file system on which modes have no effect, such as a Windows drive or a network share. */
export const MODELESS_ADVICE =
  'chmod has no effect on this file system. Mount it with the options uid=USER,umask=077, or set COUNTERSIGN_DATA_DIR to a directory on a local disk.'

/**
 * Gives a file mode 600. Throws a `SetupError` if others can still read it: it belongs to another user, or its file
 * system has no modes.
 */
export function makePrivate(path: string): void {
  if (isPrivate(statSync(path))) return
  try {
    chmodSync(path, 0o600)
  } catch {
    throw new SetupError(
      `Other users can read ${path}, and it belongs to another user. As its owner, run: chmod 600 ${path}`,
    )
  }
  if (!isPrivate(statSync(path))) {
    throw new SetupError(`Other users can read ${path}. ${MODELESS_ADVICE}`)
  }
}

/** Whether a new file in a directory keeps the mode that it was created with. */
export function keepsModes(directory: string): boolean {
  const path = join(directory, `.mode-${process.pid}`)
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return isPrivate(statSync(path))
  } catch {
    return true // Something else is wrong with the directory, and its own message is better.
  } finally {
    rmSync(path, { force: true })
  }
}
