import type { EpochMs } from '../base/clock.ts'
import type { SsoLogout } from '../store/sso.ts'

/** A logout that this process may send until its lease ends. */
export interface LeasedLogout {
  readonly logout: SsoLogout
  readonly leasedUntil: EpochMs
}

/** Attempts that run at once, of all applications and of one. */
const RUNNING_MAX = 16
const RUNNING_PER_APPLICATION_MAX = 4

/**
 * The leased logouts of one process. An application that answers slowly holds only some of the attempts that run at
 * once, so the others are told in time.
 */
export class LogoutQueue {
  #waiting: LeasedLogout[] = []
  /** The ids of logouts in flight, with their applications. */
  readonly #running = new Map<string, string>()

  /** The logouts that wait or are in flight. */
  get size(): number {
    return this.#waiting.length + this.#running.size
  }

  /** Adds a logout. Does nothing if it is known: its lease has ended, and the attempt goes on. */
  add(leased: LeasedLogout): void {
    const { id } = leased.logout
    if (this.#running.has(id) || this.#waiting.some(({ logout }) => logout.id === id)) return
    this.#waiting.push(leased)
  }

  /** Returns the next logout whose attempt may begin now, and counts it as in flight. */
  begin(): LeasedLogout | undefined {
    if (this.#running.size >= RUNNING_MAX) return undefined
    const at = this.#waiting.findIndex(
      ({ logout }) => this.#runningOf(logout.applicationId) < RUNNING_PER_APPLICATION_MAX,
    )
    if (at === -1) return undefined
    const [next] = this.#waiting.splice(at, 1)
    if (next !== undefined) this.#running.set(next.logout.id, next.logout.applicationId)
    return next
  }

  /** The attempt has ended. */
  end({ id }: SsoLogout): void {
    this.#running.delete(id)
  }

  /** Removes and returns the waiting logouts of an application. */
  drop(applicationId: string): readonly LeasedLogout[] {
    const isOf = ({ logout }: LeasedLogout): boolean => logout.applicationId === applicationId
    const dropped = this.#waiting.filter(isOf)
    this.#waiting = this.#waiting.filter((each) => !isOf(each))
    return dropped
  }

  #runningOf(applicationId: string): number {
    let count = 0
    for (const each of this.#running.values()) if (each === applicationId) count += 1
    return count
  }
}
