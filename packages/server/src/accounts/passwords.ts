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
  /** Hashes a password to a PHC string. Returns undefined if it would wait too long. */
  hash(password: string): Promise<string | undefined>
  /**
   * Whether the password matches the hash. Without a hash (the account is unknown or has no password) it does
   * the same work and the result is false. Otherwise a faster answer would show an attacker which accounts
   * exist. If the stored hashes differ in cost, `usernameKey` selects the cost to imitate, the same one at
   * each call. Returns undefined if it would wait too long.
   */
  verify(
    passwordHash: string | undefined,
    password: string,
    usernameKey: string,
  ): Promise<boolean | undefined>
  /** Whether a password would wait too long now. Asked before the rest of the work for a login. */
  isBusy(): boolean
  /** Sets a random sample of the stored hashes. Their costs are imitated for unknown accounts. */
  imitate(passwordHashes: readonly string[]): void
  /** Whether the hash was made with parameters that differ from the current settings. */
  isOutdated(passwordHash: string): boolean
}

/** The part of the hasher that verifies. Only `NewPasswords` makes hashes, after it has checked the password. */
export type PasswordVerifier = Pick<PasswordHasher, 'verify' | 'isBusy'>

/** Settings and dependencies of the password hasher. */
export interface PasswordHasherOptions {
  readonly parameters: Argon2Parameters
  /** How many hashes run at once. Use the number of cores: each hash keeps one core busy. */
  readonly concurrency: number
  /**
   * How long a password may wait for a core, in milliseconds. Passwords that would wait longer are refused at
   * once, because an answer that comes too late costs a hash and helps nobody.
   */
  readonly waitMsMax: number
  /** Milliseconds on a monotonic clock. */
  readonly elapsed: () => number
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
  const gate = new Gate(options, expectedMs(options.parameters))
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
    isBusy: () => gate.isBusy,
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

/** The expected time of the first hashes: about twice the time on a core that has nothing else to do. */
function expectedMs({ memoryKib, passes }: Argon2Parameters): number {
  return Math.max(1, (memoryKib * passes) / 1_600)
}

/** The weight of the last job in the mean duration of a job. */
const WEIGHT = 0.2

/** Runs a bounded number of jobs at once. The others wait, or are refused if they would wait too long. */
class Gate {
  readonly #options: Pick<PasswordHasherOptions, 'concurrency' | 'waitMsMax' | 'elapsed'>
  readonly #waiting: (() => void)[] = []
  #free: number
  /** How long a job takes at present. It is longer while other programs use the cores. */
  #jobMs: number

  constructor(
    options: Pick<PasswordHasherOptions, 'concurrency' | 'waitMsMax' | 'elapsed'>,
    jobMs: number,
  ) {
    this.#options = options
    this.#free = options.concurrency
    this.#jobMs = jobMs
  }

  get isBusy(): boolean {
    const { concurrency, waitMsMax } = this.#options
    const waitMs = ((this.#waiting.length + 1) * this.#jobMs) / concurrency
    return this.#free === 0 && waitMs > waitMsMax
  }

  /** Returns the result of the job. Returns undefined if the job was not run. */
  async run<T>(job: () => Promise<T>): Promise<T | undefined> {
    if (this.isBusy) return undefined
    const { elapsed, waitMsMax } = this.#options
    const arrivedAtMs = elapsed()
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const startedAtMs = elapsed()
    try {
      // The jobs before it took longer than expected.
      if (startedAtMs - arrivedAtMs > waitMsMax) return undefined
      const result = await job()
      this.#jobMs += (elapsed() - startedAtMs - this.#jobMs) * WEIGHT
      return result
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
