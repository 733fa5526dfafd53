import { isPresent, requirements } from '../../../scripts/setup-tests.ts'

// Suites that use the front door only, with PostgreSQL behind it. `openTestAuthority` reads the variable. Without
// PostgreSQL, they run on the embedded database once more.
if (isPresent(requirements.postgres)) process.env['TEST_DATABASE'] = 'postgres'

await import('./model.test.ts')
await import('./csrf.test.ts')
await import('./me.test.ts')
await import('./contract-common.test.ts')
