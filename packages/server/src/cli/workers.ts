import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Logger } from 'pino'

import { SetupError } from '../base/faults.ts'
import { limits } from '../base/limits.ts'

/** The most worker processes of one `countersign start`. */
export const WORKERS_MAX = 64

/** A worker that ends is started again after this time. It doubles with each end in a row. */
const BACK_OFF_MS = 500
const BACK_OFF_MS_MAX = 30_000
/** A worker that has run for this long ends the row. */
const HEALTHY_MS = 60_000
/** A worker stops by itself within `leaveMs` and `drainMs`. After this time, it hangs. */
const STOP_MS = limits.leaveMs + limits.drainMs + 10_000

/** Sent by a worker when it accepts requests. */
const READY = 'countersign-ready'

/** The number of this process among the workers. Undefined outside workers. A restarted worker has a new number. */
export function workerNumber(): number | undefined {
  return cluster.isWorker ? cluster.worker?.id : undefined
}

/** Tells the main process that this worker accepts requests. Does nothing outside workers. */
export function reportReady(): void {
  if (cluster.isWorker) process.send?.(READY)
}

/** Lets this process end although the main process runs. Does nothing outside workers. */
export function leaveMain(): void {
  if (cluster.isWorker) process.channel?.unref()
}

/** What the main process needs. */
export interface WorkersOptions {
  readonly count: number
  readonly logger: Logger
  /** Resolves when a signal stops the server. */
  readonly stopped: Promise<void>
}

/**
 * Runs the same command in several processes that share the port, until `stopped`. The first one starts alone: it brings
 * the schema up to date and creates the first account. A worker that ends is started again. Workers end with this
 * process, even if it is killed. Throws a `SetupError` if the first worker does not start.
 */
export async function runWorkers({ count, logger, stopped }: WorkersOptions): Promise<void> {
  const state: State = { logger, stopped, isStopping: false }
  void stopAfter(state)
  const first = fork()
  if (first !== undefined) await Promise.race([untilReady(first), untilEnded(first)])
  if ((first === undefined || hasEnded(first)) && !state.isStopping) {
    throw new SetupError('The first worker did not start, so the server has stopped.')
  }
  const places = [keepRunning(state, first)]
  while (places.length < count && !state.isStopping) {
    places.push(keepRunning(state, fork()))
  }
  await stopped
  const hanging = setTimeout(() => {
    for (const worker of all()) worker.process.kill('SIGKILL')
  }, STOP_MS)
  await Promise.all(places)
  clearTimeout(hanging)
}

async function stopAfter(state: State): Promise<void> {
  await state.stopped
  state.isStopping = true
  for (const worker of all()) worker.process.kill('SIGTERM')
}

interface State {
  readonly logger: Logger
  readonly stopped: Promise<void>
  isStopping: boolean
}

function all(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
}

function untilReady(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.on('message', (message) => {
      if (message === READY) resolve()
    })
  })
}

/** Starts a worker. Returns undefined if the machine cannot start a process, for example because it has too many. */
function fork(): Worker | undefined {
  try {
    return cluster.fork()
  } catch {
    return undefined
  }
}

/** Resolves when a worker has ended. A worker that was never started emits `error` in place of `exit`. */
async function untilEnded(worker: Worker): Promise<void> {
  if (!hasEnded(worker)) await once(worker, 'exit').catch(() => {})
}

/** Whether a worker has ended or was never started. It sends no further event. */
function hasEnded(worker: Worker): boolean {
  return worker.isDead() || worker.process.pid === undefined
}

/** Starts a worker again whenever it ends, until the server stops. */
async function keepRunning(state: State, first: Worker | undefined): Promise<void> {
  let endsInRow = 0
  for (let worker = first; ; worker = fork()) {
    const startedAtMs = performance.now()
    if (worker !== undefined) await untilEnded(worker)
    if (state.isStopping) return
    endsInRow = performance.now() - startedAtMs > HEALTHY_MS ? 1 : endsInRow + 1
    const waitMs = Math.min(BACK_OFF_MS * 2 ** (endsInRow - 1), BACK_OFF_MS_MAX)
    const { exitCode = null, signalCode = null } = worker?.process ?? {}
    state.logger.error({
      event: 'worker_ended',
      worker: worker?.id,
      ...(signalCode === null ? { code: exitCode } : { signal: signalCode }),
      restart_ms: waitMs,
    })
    await Promise.race([sleep(waitMs, undefined, { ref: false }), state.stopped])
    if (state.isStopping) return
  }
}
