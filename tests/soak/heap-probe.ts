import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'

/**
 * Loaded into each node of the soak test. Writes the lowest size of its heap in the last seconds, in bytes, to a file
 * named after the process. The lowest size is close to what the last garbage collection left.
 */

const SAMPLES = 20
const EVERY_MS = 500
const file = join(process.env['SOAK_HEAP_FOLDER'] ?? '.', String(process.pid))
const sizes: number[] = []
setInterval(() => {
  sizes.push(getHeapStatistics().used_heap_size)
  if (sizes.length > SAMPLES) sizes.shift()
  writeFileSync(file, String(Math.min(...sizes)))
}, EVERY_MS).unref()
