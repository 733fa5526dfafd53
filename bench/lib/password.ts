import { createPasswordHasher } from '../../packages/server/src/accounts/passwords.ts'
import { createSystemRandom } from '../../packages/server/src/base/random.ts'

/** The password of seeded accounts. */
export const PASSWORD = 'only for benchmarks'

/** Hashes it with the default parameters of the server. */
export async function hashPassword(): Promise<string> {
  const hasher = createPasswordHasher({
    parameters: { memoryKib: 19_456, passes: 2, lanes: 1 },
    concurrency: 1,
    waitMsMax: Infinity,
    elapsed: () => performance.now(),
    random: createSystemRandom(),
    decoySecret: Buffer.alloc(32),
  })
  return (await hasher.hash(PASSWORD)) ?? ''
}
