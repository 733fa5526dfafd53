import type { BreachedFailure, BreachedPasswords, BreachedSource } from '../accounts/breached.ts'
import { BreachedFault } from '../accounts/breached-fault.ts'
import { SetupError, messageOf } from '../base/faults.ts'
import type { Settings } from '../settings.ts'

/**
 * Opens the source of breached passwords. Returns undefined if the operator has set none. A file is checked now: a
 * `SetupError` says what is wrong with it. A service is not asked before the first new password.
 */
export async function openBreachedPasswords(
  { breachedPasswords: source }: Pick<Settings, 'breachedPasswords'>,
  onFailure: (failure: BreachedFailure) => void,
): Promise<BreachedPasswords | undefined> {
  if (source === undefined) return undefined
  await checkFile(source)
  const { createBreachedPasswords } = await import('../accounts/breached.ts')
  return createBreachedPasswords(source, { elapsed: () => performance.now(), onFailure })
}

async function checkFile(source: BreachedSource): Promise<void> {
  if (source.kind !== 'file') return
  const { checkBreachedFile } = await import('../accounts/breached-file.ts')
  try {
    await checkBreachedFile(source.path)
  } catch (error) {
    const why =
      error instanceof BreachedFault
        ? 'is not a sorted list of lines SHA-1:COUNT. Download the list of SHA-1 hashes, ordered by hash'
        : `cannot be read: ${messageOf(error)}`
    throw new SetupError(`COUNTERSIGN_BREACHED_PASSWORDS: the file ${source.path} ${why}.`, {
      cause: error,
    })
  }
}
