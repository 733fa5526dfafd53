// Loaded with --import before a command runs. It makes the file system look like one without modes, such as a Windows
// drive under Linux: every file has mode 755, and chmod has no effect.
import fs, { type Stats } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { statSync } = fs
Object.assign(fs, {
  chmodSync: () => undefined,
  statSync: (path: string, options?: fs.StatSyncOptions): Stats | fs.BigIntStats | undefined => {
    const found = statSync(path, options)
    if (typeof found?.mode === 'bigint') found.mode |= 0o055n
    else if (found !== undefined) found.mode |= 0o055
    return found
  },
})
syncBuiltinESMExports()
