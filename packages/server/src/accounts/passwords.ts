import { createHmac, createSecretKey } from 'node:crypto'

import { hash, verify } from '@node-rs/argon2'

import { limits } from '../base/limits.ts'
import type { Random } from '../base/random.ts'

/** The work of one argon2id hash (RFC 9106). */
export interface Argon2Parameters {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

/** Hashes and checks passwords, a bounded number at once. */
export interface PasswordHasher {
  /** Undefined when the queue is full. */
  hash(password: string): Promise<string> | undefined
  /**
   * Whether the password is the one of the hash. Without a hash (unknown account, or one that no
   * password can log in) the same work is done and the answer is no: otherwise it would come
   * faster, and tell an attacker which accounts exist. Which work that is, where the hashes in use
   * differ in theirs, `usernameKey` decides, always the same way. Undefined when the queue is full.
   */
  verify(
    passwordHash: string | undefined,
    password: string,
    usernameKey: string,
  ): Promise<boolean> | undefined
  /** Tells what the hashes in use look like; a random sample of them will do. */
  imitate(passwordHashes: readonly string[]): void
  /** Whether the hash was made with other parameters than those of today. */
  isOutdated(passwordHash: string): boolean
}

export interface PasswordHasherOptions {
  readonly parameters: Argon2Parameters
  /** Hashes at once: as many as there are cores, since each keeps one busy. */
  readonly concurrency: number
  /** Passwords that may wait for a core. */
  readonly queueMax: number
  readonly random: Random
  /** Decides what unknown usernames look like: the same after each start, and known to nobody. */
  readonly decoySecret: Uint8Array
}

export function createPasswordHasher(options: PasswordHasherOptions): PasswordHasher {
  const { memoryKib, passes, lanes } = options.parameters
  const gate = new Gate(options.concurrency, options.queueMax)
  const prefix = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$`
  const decoyKey = createSecretKey(options.decoySecret)
  let prefixes: readonly string[] = [prefix]

  /** Costs what a real one costs, and no password has it: its 256 bits are random, not a hash. */
  function nobodysHash(usernameKey: string): string {
    const choice = createHmac('sha256', decoyKey).update(usernameKey).digest().readUInt32BE()
    const chosen = prefixes[choice % prefixes.length] ?? prefix
    return `${chosen}${unpadded(options.random, 16)}$${unpadded(options.random, 32)}`
  }

  return {
    hash: (password) =>
      gate.run(() =>
        hash(toHashed(password), { memoryCost: memoryKib, timeCost: passes, parallelism: lanes }),
      ),
    verify: (passwordHash, password, usernameKey) =>
      gate.run(async () => {
        // Too long for any account. The same work all the same, on a text that costs nothing to read.
        const isTooLong = Buffer.byteLength(password) > limits.passwordBytesMax
        const given = isTooLong ? '' : toHashed(password)
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
 * One text for what looks the same and is typed the same: some keyboards give `é` as one character,
 * others as two (NFC, as NIST SP 800-63B-4 §3.1.1.2 has it). Nothing else is changed.
 */
function toHashed(password: string): string {
  return password.normalize('NFC')
}

// The parameters of a PHC string, up to its salt.
const PARAMETERS = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$/

function unpadded(random: Random, length: number): string {
  return random.bytes(length).toString('base64').replaceAll('=', '')
}

/** Lets a bounded number of jobs run, a bounded number wait, and refuses the rest. */
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
