/**
 * With a larger difference than this, in milliseconds, no guard can work: 60 s is the largest tolerance. The
 * guard then reports that it is not ready.
 */
export const CLOCK_DIFFERENCE_MAX_MS = 60_000

/** A tolerance of 0 s is still a second here: two machines never agree to the millisecond. */
const TOLERANCE_MS_MIN = 1_000

/** The moments of one echo, in milliseconds since 1970. `at` is read from the other clock. */
export interface ClockReading {
  readonly sentAt: number
  readonly at: number
  readonly receivedAt: number
}

/**
 * Compares the clock of the authority with the clock of this machine. The authority reads its clock between
 * the sending of a nonce and the arrival of its echo. So each echo shows between which two values the
 * difference lies, however slow the network is.
 */
export class ClockWatch {
  readonly #toleranceMs: number
  readonly #onDiffers: (differenceMs: number) => void
  #differenceMs = 0
  #leastMs = 0

  /** Calls `onDiffers` when the difference grows above the tolerance. */
  constructor(toleranceMs: number, onDiffers: (differenceMs: number) => void) {
    this.#toleranceMs = Math.max(TOLERANCE_MS_MIN, toleranceMs)
    this.#onDiffers = onDiffers
  }

  /** By how many milliseconds the authority's clock is ahead of this one, as estimated; 0 before the first echo. */
  get differenceMs(): number {
    return this.#differenceMs
  }

  /** Whether the clocks certainly differ by more than any guard tolerates. */
  get isFarOff(): boolean {
    return this.#leastMs > CLOCK_DIFFERENCE_MAX_MS
  }

  note({ sentAt, at, receivedAt }: ClockReading): void {
    // This clock was set back in between. The next echo shows the difference.
    if (receivedAt < sentAt) return
    const wasOff = this.#leastMs > this.#toleranceMs
    this.#differenceMs = Math.round(at - (sentAt + receivedAt) / 2)
    this.#leastMs = Math.max(0, at - receivedAt, sentAt - at)
    if (!wasOff && this.#leastMs > this.#toleranceMs) this.#onDiffers(this.#differenceMs)
  }
}

/** Returns a difference for people: `12 s ahead of` or `12 s behind`, as seen from this machine. */
export function describeDifference(differenceMs: number): string {
  const sec = Math.abs(differenceMs) / 1000
  const text = sec < 10 ? sec.toFixed(1) : String(Math.round(sec))
  return `${text} s ${differenceMs < 0 ? 'ahead of' : 'behind'}`
}
