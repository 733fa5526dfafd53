import { getCompileCacheDir } from 'node:module'
import { dirname, extname } from 'node:path'
import { Worker } from 'node:worker_threads'

const ENTRY = new URL('../../../bin/thread.cjs', import.meta.url)

/** What the entry reads at the start of a thread. */
interface ThreadData {
  /** The folder of the compile cache of this process. Undefined if it has none. */
  readonly compileCache: string | undefined
  /** The URL of the module that serves the store: TypeScript in the sources, JavaScript in the package. */
  readonly host: string
}

/** How long a thread without a store waits for the next one, in milliseconds. */
const SPARE_MS = 1_000
/** Tests often open a second authority beside the first one. */
const SPARES_MAX = 2

/** Threads without a store, with the function that ends each. */
const spares = new Map<Worker, () => void>()

/**
 * Returns a thread that serves no store: one whose store was closed, or a new one. Starting one takes 0.1 s of a free
 * core, which tests that open one authority after another would notice. The thread alone does not keep the process
 * alive.
 */
export function takeThread(): Worker {
  for (const [worker, end] of spares) {
    worker.off('error', end)
    spares.delete(worker)
    return worker
  }
  const directory = getCompileCacheDir()
  const workerData: ThreadData = {
    compileCache: directory === undefined ? undefined : dirname(directory),
    host: new URL(`host${extname(import.meta.url)}`, import.meta.url).href,
  }
  const worker = new Worker(ENTRY, { workerData })
  worker.unref()
  return worker
}

/** Starts a thread before a store needs it. It loads its files while this thread loads its own. */
export function prepareThread(): void {
  giveThreadBack(takeThread())
}

/** Keeps a thread that has closed its store for a second. Ends it at once if enough others are kept. */
export function giveThreadBack(worker: Worker): void {
  if (spares.size >= SPARES_MAX) {
    void worker.terminate()
    return
  }
  const end = (): void => {
    if (spares.get(worker) !== end) return
    spares.delete(worker)
    void worker.terminate()
  }
  // An error without a listener would end the process.
  worker.on('error', end)
  spares.set(worker, end)
  setTimeout(end, SPARE_MS).unref()
}
