/**
 * Lets one thread withdraw calls that the other has not begun. Both sides first write their own number, then read that
 * of the other. So they never disagree: a call that was withdrawn is not begun, whatever happens at the same time.
 */
export class Gate {
  readonly buffer: SharedArrayBuffer
  readonly #cells: BigInt64Array

  constructor(buffer = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer
    this.#cells = new BigInt64Array(buffer)
  }

  /** Called before calls begin, with the id of the newest. Returns the id up to which calls were withdrawn. */
  begin(id: number): number {
    Atomics.store(this.#cells, BEGUN, BigInt(id))
    return Number(Atomics.load(this.#cells, WITHDRAWN))
  }

  /** Withdraws all calls up to an id. Returns the id up to which calls may have begun. */
  withdraw(id: number): number {
    Atomics.store(this.#cells, WITHDRAWN, BigInt(id))
    return Number(Atomics.load(this.#cells, BEGUN))
  }
}

const BEGUN = 0
const WITHDRAWN = 1
