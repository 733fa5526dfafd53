import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { describeMachine } from '../bench/lib/machine.ts'
import { openSmtpServer } from '../packages/server/test/support/smtp-server.ts'
import { startCluster } from '../tests/cluster/cluster.ts'
import { measureGrowth } from '../tests/soak/growth.ts'
import { SoakLoad } from '../tests/soak/load.ts'
import { takeSample, type Sample } from '../tests/soak/samples.ts'

/**
 * `npm run test:soak`: three nodes on one PostgreSQL under a steady load for 30 minutes, or `--minutes N`. Fails if
 * memory, handles, connections or latencies grow, or if any answer is wrong. Writes bench/results/soak.json, from which
 * `npm run generate` makes docs/soak.md.
 */

const EVERY_MS = 10_000
/** The first part of a run is not compared: code is compiled and caches are filled. */
const WARM_UP_SHARE = 0.1

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
const minutes = Number(values.minutes)
if (!(minutes >= 2)) throw new Error('--minutes needs a number from 2.')
const root = resolve(import.meta.dirname, '..')
const samples: Sample[] = []
const failures = new Map<string, number>()

await runLoad()
const compared = samples.filter(({ atSec }) => atSec >= minutes * 60 * WARM_UP_SHARE)
const growth = measureGrowth(compared)
const results = {
  measuredAt: new Date().toISOString(),
  minutes,
  machine: describeMachine(),
  growth,
  samples,
}
writeFileSync(join(root, 'bench/results/soak.json'), `${JSON.stringify(results, null, 1)}\n`)
for (const { name, unit, first, last, allowed } of growth) {
  const verdict = last > allowed ? 'GREW' : 'ok'
  process.stdout.write(`${verdict}  ${name}: ${first} to ${last} ${unit}, at most ${allowed}\n`)
}
for (const [text, times] of failures) process.stdout.write(`FAILED ${times} times: ${text}\n`)
if (failures.size > 0 || growth.some(({ last, allowed }) => last > allowed)) process.exitCode = 1
process.stdout.write(process.exitCode === 1 ? 'The soak test failed.\n' : 'The soak test passed.\n')

async function runLoad(): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const heapFolder = mkdtempSync(join(tmpdir(), 'countersign-soak-'))
  parts.defer(() => rmSync(heapFolder, { recursive: true, force: true }))
  const smtp = parts.use(await openSmtpServer())
  const cluster = parts.use(
    await startCluster({
      postgresOptions: { durable: true },
      env: {
        NODE_OPTIONS: `--import=${join(root, 'tests/soak/heap-probe.ts')}`,
        SOAK_HEAP_FOLDER: heapFolder,
        COUNTERSIGN_SIGN_UP: 'true',
        COUNTERSIGN_MAIL_LOGIN: 'true',
        COUNTERSIGN_SMTP_URL: smtp.url,
        COUNTERSIGN_MAIL_FROM: 'no-reply@auth.example.com',
      },
    }),
  )
  const load = parts.use(await SoakLoad.start(cluster))
  const started = performance.now()
  for (let n = 1; n * EVERY_MS <= minutes * 60_000; n += 1) {
    await sleep(started + n * EVERY_MS - performance.now())
    const done = load.take()
    for (const text of done.failures) failures.set(text, (failures.get(text) ?? 0) + 1)
    const atSec = (performance.now() - started) / 1000
    const sample = await takeSample(cluster, { atSec, heapFolder, done })
    samples.push(sample)
    const { rssMb, heapMb, handles, connections, refreshes, refreshP99 } = sample
    process.stdout.write(
      `${sample.atSec} s: ${rssMb} MB, heap ${heapMb} MB, ${handles} handles, ${connections} connections, ${refreshes} refreshes, p99 ${refreshP99} ms\n`,
    )
  }
}
