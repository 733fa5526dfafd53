import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why no disk can be made here. Undefined if one can. Mounting needs Linux, root and a loop device. */
export function whyNoDisk(): string | undefined {
  const disk = spawnSync('/bin/sh', ['-c', 'command -v mkfs.ext4 && command -v fsfreeze'])
  if (disk.status !== 0) return 'mkfs.ext4 or fsfreeze is missing'
  try {
    TestDisk.create(8)[Symbol.dispose]()
    return undefined
  } catch (error) {
    return `a disk cannot be mounted: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** A file system of its own, in a file that is mounted as a loop device. It can be frozen and filled. */
export class TestDisk implements Disposable {
  readonly #folder: string
  /** The root of the file system. */
  readonly path: string
  #isFrozen = false

  private constructor(folder: string) {
    this.#folder = folder
    this.path = join(folder, 'disk')
  }

  static create(mib: number): TestDisk {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-disk-'))
    const image = join(folder, 'image')
    const disk = new TestDisk(folder)
    try {
      execFileSync('truncate', ['-s', `${mib}M`, image])
      execFileSync('mkfs.ext4', ['-q', '-m', '0', image], { stdio: 'pipe' })
      mkdirSync(disk.path)
      execFileSync('mount', ['-o', 'loop', image, disk.path], { stdio: 'pipe' })
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
    return disk
  }

  /** Lets every write and every sync wait until {@link thaw}. Reads go on. */
  freeze(): void {
    execFileSync('fsfreeze', ['-f', this.path])
    this.#isFrozen = true
  }

  thaw(): void {
    if (this.#isFrozen) execFileSync('fsfreeze', ['-u', this.path])
    this.#isFrozen = false
  }

  /** Takes all space that is left. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path)
    spawnSync('fallocate', ['-l', String(bavail * bsize), join(this.path, 'filler')])
    // The metadata of that file takes space, too, so it may have failed. The rest is written until none is left.
    for (let n = 0; n < 10_000; n += 1) {
      try {
        writeFileSync(join(this.path, `filler-${n}`), Buffer.alloc(4096))
      } catch {
        return
      }
    }
  }

  /** Gives the space back that {@link fill} took. */
  free(): void {
    spawnSync('/bin/sh', ['-c', 'rm -f "$0"/filler*', this.path])
  }

  [Symbol.dispose](): void {
    this.thaw()
    spawnSync('umount', ['-l', this.path])
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
