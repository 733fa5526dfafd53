import type { Managed } from '../accounts/managed.ts'
import { SetupError } from '../base/faults.ts'

/**
 * Returns the value of an operation that succeeded. Throws a `SetupError` with the reason if it was refused.
 */
export function unwrap<T>(managed: Managed<T>): T {
  if (!managed.ok) throw new SetupError(managed.text)
  return managed.value
}
