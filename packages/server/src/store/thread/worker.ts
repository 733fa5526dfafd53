import { enableCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

import type { ThreadData } from './pool.ts'

// The first file of the thread. A thread does not inherit the compile cache of its process, and without it the other
// files take several times as long to load.
const { compileCache } = workerData as ThreadData
if (compileCache !== undefined) enableCompileCache(compileCache)
const { serveStore } = await import('./host.ts')
parentPort?.on('message', serveStore)
