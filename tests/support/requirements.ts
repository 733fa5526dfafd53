import { describe } from 'vitest'

import { isPresent, requirements } from '../../scripts/setup-tests.ts'

/**
 * A suite that runs against a program from outside npm. Where that is missing, the report shows the
 * suite as skipped, under a name that says so and why.
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
