import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

import { createClientManager } from '../../packages/server/src/accounts/clients.ts'
import { systemClock } from '../../packages/server/src/base/clock.ts'
import { createSystemRandom } from '../../packages/server/src/base/random.ts'
import { openStore, type StoreSettings } from '../../packages/server/src/store/open.ts'

/** The credentials of a service account. */
export interface Credentials {
  readonly clientId: string
  readonly clientSecret: string
}

/** Creates the service account of the guards of a benchmark. */
export async function createGuardsClient(settings: StoreSettings): Promise<Credentials> {
  const store = await openStore(settings, { exclusive: false, clock: systemClock })
  const random = createSystemRandom()
  const clients = createClientManager({ store, clock: systemClock, random })
  const created = await clients.create({ name: 'guards' }, 'bench')
  await store.close()
  if (!created.ok) throw new Error(created.text)
  return { clientId: created.value.client.id, clientSecret: created.value.secret.secret }
}

/** Starts a program of this folder, sends it its parameters, and resolves with its first message. */
export function startChild(file: string, start: object): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, file), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
    child.once('message', () => resolve(child))
    child.send(start)
  })
}

/** Asks a program for its report. */
export function ask<Answer>(child: ChildProcess, question = 'report'): Promise<Answer> {
  return new Promise((resolve) => {
    child.once('message', (answer) => resolve(answer as Answer))
    child.send(question)
  })
}

export function sleep(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
