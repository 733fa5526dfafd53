import { describeWith } from '../../../tests/support/requirements.ts'

// Suites that use the front door only, with PostgreSQL behind it. `openTestAuthority` reads the variable.
process.env['TEST_DATABASE'] = 'postgres'

describeWith('postgres', 'on PostgreSQL', async () => {
  await import('./model.test.ts')
  await import('./csrf.test.ts')
  await import('./me.test.ts')
  await import('./contract-common.test.ts')
})
