import { appendFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * Loaded into the server by `bench/feed.ts`: appends the longest stall of the event loop in each second, in
 * milliseconds, to the file in LOOP_DELAY_FILE.
 */

const RESOLUTION_MS = 10
const file = process.env['LOOP_DELAY_FILE'] ?? ''
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delays.enable()
setInterval(() => {
  appendFileSync(file, `${Math.round(delays.max / 1e6 - RESOLUTION_MS)}\n`)
  delays.reset()
}, 1_000).unref()
