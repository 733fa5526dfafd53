import { join, resolve } from 'node:path'

import { runDemo } from './lib/demo.ts'

/** `npm run demo`: logs in, verifies and revokes over HTTP, from the sources. */

const root = resolve(import.meta.dirname, '..')
await runDemo({
  authority: {
    command: [process.execPath, join(root, 'packages/server/bin/countersign.cjs')],
    cwd: root,
  },
  api: {
    command: [process.execPath, join(root, 'examples/express-api/server.ts')],
    cwd: root,
  },
})
