import { describe } from 'vitest'

import { isPresent, requirements } from '../../scripts/setup-tests.ts'

/**
 * A suite that needs a program from outside npm. Without the program, the report lists the suite as skipped,
 * under a name that contains the reason.
 */
export function describeWith(
  need: keyof typeof requirements,
  title: string,
  suite: () => void,
): void {
  const requirement = requirements[need]
  const present = isPresent(requirement)
  const why = `NOT RUN: ${requirement.name} is not installed, see scripts/setup-tests.ts`
  describe.skipIf(!present)(present ? title : `${title} (${why})`, suite)
}
