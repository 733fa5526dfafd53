import { createHmac, createSecretKey } from 'node:crypto'

import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'

/** The cost of one argon2id hash (RFC 9106). */
export interface Argon2Parameters {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

/** Hashes and verifies a bounded number of passwords at once. */
export interface PasswordHasher {
  /** Hashes a password to a PHC string. Returns undefined if the queue is full. */
  hash(password: string): Promise<string> | undefined
  /**
   * Whether the password matches the hash. Without a hash (the account is unknown or has no password) it does
   * the same work and the result is false. Otherwise a faster answer would show an attacker which accounts
   * exist. If the stored hashes differ in cost, `usernameKey` selects the cost to imitate, the same one at
   * each call. Returns undefined if the queue is full.
   */
  verify(
    passwordHash: string | undefined,
    password: string,
    usernameKey: string,
  ): Promise<boolean> | undefined
  /** Sets a random sample of the stored hashes. Their costs are imitated for unknown accounts. */
  imitate(passwordHashes: readonly string[]): void
  /** Whether the hash was made with parameters that differ from the current settings. */
  isOutdated(passwordHash: string): boolean
}

/** Settings and dependencies of the password hasher. */
export interface PasswordHasherOptions {
  readonly parameters: Argon2Parameters
  /** How many hashes run at once. Use the number of cores: each hash keeps one core busy. */
  readonly concurrency: number
  /** How many passwords may wait for a core. */
  readonly queueMax: number
  readonly random: Random
  /**
   * Selects the cost that is imitated for an unknown username. It must be secret and the same after each
   * start.
   */
  readonly decoySecret: Uint8Array
}

/** Creates the password hasher. */
export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { memoryKib, passes, lanes } = options.parameters
  const gate = new Gate(options.concurrency, options.queueMax)
  const prefix = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$`
  const decoyKey = createSecretKey(options.decoySecret)
  let prefixes: readonly string[] = [prefix]

  /** Makes a hash that costs as much as a real hash and that no password matches: its 256 bits are random. */
  function nobodysHash(usernameKey: string): string {
    const choice = createHmac('sha256', decoyKey).update(usernameKey).digest().readUInt32BE()
    const chosen = prefixes[choice % prefixes.length] ?? prefix
    return `${chosen}${unpadded(options.random, 16)}$${unpadded(options.random, 32)}`
  }

  return {
    hash: (password) =>
      gate.run(async () => {
        // The native library is loaded at the first hash: a command that hashes nothing starts without it.
        const { hash } = await import('@node-rs/argon2')
        const cost = { memoryCost: memoryKib, timeCost: passes, parallelism: lanes }
        return hash(toHashed(password), cost)
      }),
    verify: (passwordHash, password, usernameKey) =>
      gate.run(async () => {
        // No account has a password this long. The same work is done with an empty text, which costs nothing
        // to read.
        const isTooLong = Buffer.byteLength(password) > limits.passwordBytesMax
        const given = isTooLong ? '' : toHashed(password)
        const { verify } = await import('@node-rs/argon2')
        const isRight = await verify(passwordHash ?? nobodysHash(usernameKey), given)
        return isRight && passwordHash !== undefined && !isTooLong
      }),
    imitate: (passwordHashes) => {
      const seen = passwordHashes.flatMap((each) => PARAMETERS.exec(each)?.[0] ?? [])
      prefixes = seen.length > 0 ? seen : [prefix]
    },
    isOutdated: (passwordHash) => !passwordHash.startsWith(prefix),
  }
}

/**
 * Normalizes a password to NFC (NIST SP 800-63B-4 §3.1.1.2): some keyboards send `é` as one character,
 * others as two. Nothing else is changed.
 */
function toHashed(password: string): string {
  return password.normalize('NFC')
}

// The parameters of a PHC string, up to its salt.
const PARAMETERS = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$/

function unpadded(random: Random, length: number): string {
  return random.bytes(length).toString('base64').replaceAll('=', '')
}

/** Runs a bounded number of jobs at once, queues a bounded number, and rejects the rest. */
class Gate {
  readonly #waiting: (() => void)[] = []
  readonly #queueMax: number
  #free: number

  constructor(concurrency: number, queueMax: number) {
    this.#free = concurrency
    this.#queueMax = queueMax
  }

  run<T>(job: () => Promise<T>): Promise<T> | undefined {
    if (this.#free === 0 && this.#waiting.length >= this.#queueMax) return undefined
    return this.#runWhenFree(job)
  }

  async #runWhenFree<T>(job: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await job()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
